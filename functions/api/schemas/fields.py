"""What all shapes have in common, and the fields that many share."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

_ISO_8601_START = re.compile(r"\d{4}-\d\d-\d\d[Tt]")

VISIBLE_CHARACTER = r"[^\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
"""A character that is to be seen, by whatever engine reads the pattern: they differ about what a space is."""

_BASE64 = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
"""What unpacking takes; looking at six million characters twice would be for nothing."""


class ApiModel(BaseModel):
    """Frozen, and strict about names: a misspelt field is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null")


def _require_iso_8601(value: Any) -> Any:
    """Seconds since 1970, which Pydantic would take too, are no ISO 8601."""
    if isinstance(value, str) and not _ISO_8601_START.match(value):
        raise ValueError("not a date and time by ISO 8601")
    return value


Timestamp = Annotated[datetime, Field(description="ISO 8601, with its offset")]
TimestampParameter = Annotated[
    AwareDatetime, BeforeValidator(_require_iso_8601), Field(description="ISO 8601, with its offset")
]
Source = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$", description="A door, a camera, a feed")
]
Score = Annotated[float, Field(ge=0, le=1, description="0 (worst) to 1")]

DropId = Annotated[str, Field(description="A drop's id", examples=["0f6d2c7be1a94f8d93a5b0c4e7d8f921"])]
SightingId = Annotated[
    str,
    Field(
        description="A sighting's id: its drop's, and its number there",
        examples=["0f6d2c7be1a94f8d93a5b0c4e7d8f921-0"],
    ),
]
AlertId = Annotated[str, Field(description="An alert's id", examples=["7b1e90c25d3f4a6e8c9d0b1a2f3e4d5c"])]
PersonId = Annotated[
    str,
    Field(description="A person's id: random, nothing about them is in it", examples=["p-4c1f09ab72de"]),
]
ModelName = Annotated[str, Field(description="A model's name", examples=["faces"])]
ReleaseId = Annotated[
    str, Field(description="A release: the beginning of its files' SHA-256", examples=["5d0c41f2a9be7713"])
]
SourceName = Annotated[
    str, Field(description="The door, camera or feed that it came from", examples=["door-3"])
]
LaneName = Annotated[str, Field(description="live, or bulk for what may wait", examples=["live"])]
NextCursor = Annotated[
    str | None, Field(description="`cursor` of the next page; none after the last", examples=["bmV4dA"])
]
LabelText = Annotated[
    str, Field(description="A person's id, a class's name, or unknown", examples=["unknown"])
]
Similarity = Annotated[
    float | None, Field(description="How sure: a cosine of faces, a probability of classes", examples=[0.74])
]
Threshold = Annotated[
    float | None, Field(description="That the score had to reach to be called known", examples=[0.42])
]
QualityIssues = Annotated[
    tuple[str, ...], Field(description="Why it is unfit to be told apart", examples=[["turned"]])
]
Tags = Annotated[tuple[str, ...], Field(description="Lists that the person is on", examples=[["watch"]])]
SizePx = Annotated[
    tuple[int, ...] | None, Field(description="Width and height, as it is shown", examples=[[1280, 720]])
]
FoundCount = Annotated[int, Field(description="Things that were found; the strongest are told", examples=[1])]
TimesMs = Annotated[
    dict[str, float],
    Field(description="What each stage took, in ms", examples=[{"detect": 14.2, "embed": 9.8}]),
]
ThumbnailUrl = Annotated[
    str | None,
    Field(
        description="A JPEG of at most 320 pixels, for five minutes: ask with Accept: image/jpeg and no token"
    ),
]
SubjectErased = Annotated[
    bool, Field(description="Who it was has been erased, and the photo with it: there is nothing to look at")
]
Until = Annotated[TimestampParameter | None, Field(description="Before this moment")]
Usd = Annotated[float, Field(description="US dollars, by the prices in layers/vigil/training/machines.toml")]
RulesToml = Annotated[str, Field(max_length=100_000, description="A watch file: sources, hours and rules")]
Base64Image = Annotated[
    str,
    Field(
        max_length=6_000_000,
        description="The bytes of a JPEG, PNG or WebP, as base64",
        json_schema_extra={"contentEncoding": "base64", "pattern": _BASE64},
    ),
]


class PageQuery(ApiModel):
    """How far to read a list."""

    cursor: Annotated[
        str | None, Field(max_length=1000, description="`next` of the page before; the same filters")
    ] = None
    limit: Annotated[int, Field(ge=1, le=100, description="Of a page, at most")] = 25
