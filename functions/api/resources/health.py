"""Liveness of the API."""

from typing import Annotated

from pydantic import Field

from functions.api.operation import Call, operation
from functions.api.schemas.fields import ApiModel


class Health(ApiModel):
    """Liveness of the API."""

    status: Annotated[str, Field(description="Always ok")]


@operation("GET", "/v1/health", role=None, bound_tokens="allowed")
def get_health(_: Call) -> Health:
    """Check that the API answers."""
    return Health(status="ok")
