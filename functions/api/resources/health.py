"""Whether the API is there."""

from typing import Annotated

from pydantic import Field

from functions.api.operation import Call, operation
from functions.api.schemas.fields import ApiModel


class Health(ApiModel):
    """All that the unauthenticated are told."""

    status: Annotated[str, Field(description="ok, whenever there is an answer")]


@operation("GET", "/v1/health", role=None)
def get_health(_: Call) -> Health:
    """Check that the API answers."""
    return Health(status="ok")
