"""Whether the API is there."""

from typing import Annotated

from pydantic import Field

from functions.api.operation import Call, Operation
from functions.api.schemas.fields import ApiModel


class Health(ApiModel):
    """All that the unauthenticated are told."""

    status: Annotated[str, Field(description="ok, whenever there is an answer")]


def get_health(_: Call) -> Health:
    """The gateway and its function answer."""
    return Health(status="ok")


OPERATIONS = (
    Operation(
        "GET",
        "/v1/health",
        name="get-health",
        summary="Whether the API answers",
        handler=get_health,
        role=None,
        response_model=Health,
    ),
)
