"""The base model of all request and response models, and fields that several of them share."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from vigil.inference.types import GALLERY_NAME_PATTERN
from vigil.text import INVISIBLE

_ISO_8601_START = re.compile(r"\d{4}-\d\d-\d\d[Tt]")

VISIBLE_CHARACTER = r"[^\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
"""A visible character; spelled out because regular expression engines differ about what white space is."""

VISIBLE_LINE = f"^[^{INVISIBLE}]*{VISIBLE_CHARACTER}[^{INVISIBLE}]*$"
"""One line of text with something to see, and without control characters."""

_BASE64 = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
"""Documented only: decoding validates the text, and a pattern would read six million characters twice."""


class ApiModel(BaseModel):
    """Frozen; unknown fields are an error; `model_validate` also takes an object with these attributes."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True, ser_json_inf_nan="null")


MAX_TIME_LENGTH = 64
"""Pydantic accepts any number of digits after the second."""

_USUAL_YEAR = r"^(19[7-9][0-9]|[2-8][0-9]{3})-"
"""Documented only, for `_require_usual_time`."""


def _require_iso_8601(value: Any) -> Any:
    """Refuse seconds since 1970, which Pydantic accepts, and endless fractions of a second."""
    if isinstance(value, str) and (len(value) > MAX_TIME_LENGTH or not _ISO_8601_START.match(value)):
        raise ValueError("not a date and time in ISO 8601")
    return value


def _require_usual_time(value: datetime) -> datetime:
    """Refuse times that no time zone can express."""
    if not 1970 <= value.year <= 9000:
        raise ValueError("not a time from 1970 to 9000")
    return value


Lane = Literal["live", "bulk"]
DropState = Literal["claimed", "done", "rejected", "quarantined"]
Severity = Literal["info", "warning", "critical"]
SightingStatus = Literal["known", "unknown", "ambiguous", "unfit"]

Timestamp = Annotated[datetime, Field(description="Time in ISO 8601 with UTC offset")]
TimestampParameter = Annotated[
    AwareDatetime,
    BeforeValidator(_require_iso_8601),
    AfterValidator(_require_usual_time),
    Field(
        description="Time in ISO 8601 with UTC offset",
        json_schema_extra={"maxLength": MAX_TIME_LENGTH, "pattern": _USUAL_YEAR},
    ),
]
Source = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$", description="Name of a camera, door or other source"),
]
GalleryName = Annotated[
    str, Field(pattern=GALLERY_NAME_PATTERN, description="Name of the gallery", examples=["staff"])
]
Score = Annotated[float, Field(ge=0, le=1, description="Quality from 0 (worst) to 1 (best)")]

DropId = Annotated[str, Field(description="Id of the drop", examples=["0f6d2c7be1a94f8d93a5b0c4e7d8f921"])]
SightingId = Annotated[
    str,
    Field(
        description="Id of the sighting: the id of its drop and its number in the drop",
        examples=["0f6d2c7be1a94f8d93a5b0c4e7d8f921-0"],
    ),
]
AlertId = Annotated[str, Field(description="Id of the alert", examples=["7b1e90c25d3f4a6e8c9d0b1a2f3e4d5c"])]
PersonId = Annotated[str, Field(description="Random id of the person", examples=["p-4c1f09ab72de"])]
ModelName = Annotated[str, Field(description="Name of the model", examples=["faces"])]
ModelParameter = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Name of the model")]
ReleaseId = Annotated[
    str,
    Field(
        description="Id of the release: the first 32 digits of the SHA-256 of its files",
        examples=["5d0c41f2a9be77130c6b8e24d17f3a95"],
    ),
]
SourceName = Annotated[str, Field(description="Name of the source", examples=["door-3"])]
LaneName = Annotated[str, Field(description="Name of the lane: live or bulk", examples=["live"])]
NextCursor = Annotated[
    str | None, Field(description="`cursor` of the next page; absent on the last page", examples=["bmV4dA"])
]
LabelText = Annotated[
    str, Field(description="Id of a person, name of a class, or `unknown`", examples=["unknown"])
]
StatusOfSighting = Annotated[
    SightingStatus,
    Field(
        description="known: above the threshold; unknown: below it; ambiguous: two candidates are too close;"
        " unfit: the quality is too low to compare"
    ),
]
Similarity = Annotated[
    float | None,
    Field(description="Cosine similarity of faces, or probability of the class", examples=[0.74]),
]
Threshold = Annotated[float | None, Field(description="Minimum score for the status known", examples=[0.42])]
BoxPx = Annotated[tuple[float, ...] | None, Field(description="Box in pixels: left, top, right, bottom")]
QualityIssues = Annotated[
    tuple[str, ...], Field(description="Why the face is unfit for comparison", examples=[["turned"]])
]
Tags = Annotated[tuple[str, ...], Field(description="Tags of the person", examples=[["watch"]])]
SizePx = Annotated[
    tuple[int, ...] | None,
    Field(description="Width and height in pixels, after the EXIF rotation", examples=[[1280, 720]]),
]
FoundCount = Annotated[
    int, Field(description="Number of detections; only the strongest are returned", examples=[1])
]
TimesMs = Annotated[
    dict[str, float],
    Field(description="Duration of each stage in milliseconds", examples=[{"detect": 14.2, "embed": 9.8}]),
]
ThumbnailUrl = Annotated[
    str | None,
    Field(
        description="URL of a JPEG of at most 320 pixels, valid for five minutes;"
        " send Accept: image/jpeg and no token"
    ),
]
SubjectErased = Annotated[
    bool, Field(description="Whether the person was erased; the photo is then deleted too")
]
SubjectName = Annotated[
    str | None,
    Field(
        description="Name of the person, for callers who may read people (role reviewer)",
        examples=["Ada Lovelace"],
    ),
]
PersonFilter = Annotated[
    str | None, Field(pattern=r"^p-[0-9a-f]{12}$", description="Only what concerns the person with this id")
]
IdPrefix = Annotated[
    str | None,
    Field(pattern=r"^[0-9a-f]{4,32}$", description="Only those whose id begins with these characters"),
]
Since = Annotated[
    TimestampParameter | None, Field(description="Only from this time on; one day ago if absent")
]
Until = Annotated[TimestampParameter | None, Field(description="Only before this time")]
Usd = Annotated[
    float, Field(description="US dollars, at the prices in layers/vigil/training/instance_types.toml")
]
RulesToml = Annotated[str, Field(max_length=100_000, description="The text of rules.toml")]
Base64Image = Annotated[
    str,
    Field(
        max_length=6_000_000,
        description="A JPEG, PNG or WebP image in base64",
        json_schema_extra={"contentEncoding": "base64", "pattern": _BASE64},
    ),
]


class ModelResult(ApiModel):
    """What a model found: a face, a class, a number, a text or a span of time."""

    status: StatusOfSighting
    label: LabelText
    score: Similarity = None
    threshold: Threshold = None
    box_px: BoxPx = None
    quality: Score | None = None
    quality_issues: QualityIssues = ()
    tags: Tags = ()
    value: Annotated[
        float | None, Field(description="Number of a regression, or of an anomaly", examples=[412.5])
    ] = None
    text: Annotated[str | None, Field(description="Text that was read or heard")] = None
    row: Annotated[int | None, Field(description="Number of the row in a table, from 1")] = None
    span_s: Annotated[
        tuple[float, ...] | None, Field(description="Start and end in a recording, in seconds")
    ] = None


class PageQuery(ApiModel):
    """Which page of a list."""

    cursor: Annotated[
        str | None, Field(max_length=1000, description="`next` of the previous page, with the same filters")
    ] = None
    limit: Annotated[int, Field(ge=1, le=100, description="Maximum number of items in the page")] = 25
