"""What all shapes have in common, and the fields that many share."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

_ISO = re.compile(r"\d{4}-\d\d-\d\d[Tt]")


class Shape(BaseModel):
    """Frozen, and strict about names: a misspelt field is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null")


def _iso(value: Any) -> Any:
    """Seconds since 1970, which Pydantic would take too, are no ISO 8601."""
    if isinstance(value, str) and not _ISO.match(value):
        raise ValueError("not a date and time by ISO 8601")
    return value


Moment = Annotated[datetime, Field(description="ISO 8601, with its offset")]
When = Annotated[AwareDatetime, BeforeValidator(_iso), Field(description="ISO 8601, with its offset")]
Source = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$", description="A door, a camera, a feed")
]
Score = Annotated[float, Field(ge=0, le=1)]


class Page(Shape):
    """How far to read a list."""

    cursor: Annotated[
        str | None, Field(max_length=1000, description="`next` of the page before; the same filters")
    ] = None
    limit: Annotated[int, Field(ge=1, le=100)] = 25
