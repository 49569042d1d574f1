"""Uploads and drops."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from functions.api.schemas.fields import (
    ApiModel,
    Base64Image,
    DropId,
    FoundCount,
    LabelText,
    LaneName,
    ModelName,
    NextCursor,
    PageQuery,
    QualityIssues,
    ReleaseId,
    Score,
    SightingId,
    Similarity,
    SizePx,
    Source,
    SourceName,
    SubjectErased,
    Tags,
    Threshold,
    ThumbnailUrl,
    TimesMs,
    Timestamp,
    TimestampParameter,
    Until,
)

Lane = Literal["live", "bulk"]
DropState = Literal["claimed", "done", "rejected", "quarantined"]
Wait = Annotated[
    int, Field(ge=0, le=20, description="Answer when it has ended, or after so many seconds as it is then")
]


class NewUpload(ApiModel):
    """What is going to be uploaded."""

    AUDITED_FIELDS: ClassVar = ("source", "lane", "model")

    source: Source
    lane: Annotated[Lane, Field(description="live, or bulk for what may wait")] = "live"
    model: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Who looks at it")] = (
        "faces"
    )
    suffix: Annotated[str, Field(pattern=r"^\.[a-z0-9]{1,8}$", description="Of the file: .jpg")] = ".jpg"


class UploadForm(ApiModel):
    """POST the file to `url` as multipart/form-data, with `fields` before it; S3 checks type and size."""

    id: Annotated[str, Field(description="What to ask for with GET /v1/uploads")]
    url: Annotated[str, Field(description="Where the form goes")]
    fields: Annotated[dict[str, str], Field(description="Of the form, as they are")]
    max_bytes: Annotated[int, Field(description="That S3 takes")]
    expires_at: Timestamp


class WaitQuery(ApiModel):
    """How long to wait."""

    wait: Wait = 0


class UploadStatus(ApiModel):
    """What became of an upload: no drop as long as nothing has arrived."""

    id: Annotated[str, Field(description="What was asked for")]
    drop: DropId | None = None
    state: Annotated[DropState | None, Field(description="Of the drop")] = None


class SightingOut(ApiModel):
    """One thing that a model saw in one drop."""

    id: SightingId
    drop: DropId
    source: SourceName
    model: ModelName
    at: Timestamp
    status: Annotated[
        Literal["known", "unknown", "ambiguous", "unfit"],
        Field(description="Whether it is somebody known, nobody known, one of two, or too poor to say"),
    ]
    person: Annotated[str | None, Field(description="Who, where somebody enrolled was recognised")] = None
    label: LabelText
    score: Similarity = None
    threshold: Threshold = None
    box_px: Annotated[list[float] | None, Field(description="left, top, right, bottom")] = None
    quality: Score | None = None
    quality_issues: QualityIssues = ()
    tags: Tags = ()
    subject_erased: SubjectErased = False
    thumbnail_url: ThumbnailUrl = None


class DropOut(ApiModel):
    """The record of one drop, and what was seen in it once it is done."""

    id: DropId
    state: Annotated[DropState, Field(description="claimed until it has its end", examples=["done"])]
    lane: LaneName
    model: ModelName
    source: SourceName
    at: Timestamp
    attempts: Annotated[int, Field(description="How often it was taken up", examples=[1])]
    stage: Annotated[str | None, Field(description="Where the last attempt was", examples=["save"])] = None
    release: ReleaseId | None = None
    reason: Annotated[
        str | None,
        Field(description="Why it was rejected or quarantined; stable"),
    ] = None
    message: Annotated[str | None, Field(description="The same, for people")] = None
    completed_at: Timestamp | None = None
    size_px: SizePx = None
    found: FoundCount | None = None
    alerts: Annotated[int | None, Field(description="That it raised or counted up", examples=[0])] = None
    times_ms: TimesMs | None = None
    notes: Annotated[
        dict[str, Any] | None,
        Field(
            description="How it was looked at; `degraded` and `alerts_left_out` say what was given up",
            examples=[{"detect": "640"}],
        ),
    ] = None
    photo_url: Annotated[str | None, Field(description="The photo itself, for five minutes")] = None
    thumbnail_url: ThumbnailUrl = None
    sightings: Annotated[
        list[SightingOut] | None, Field(description="What was seen in it, once it is done")
    ] = None


class DropsQuery(PageQuery):
    """Which drops, newest first."""

    AUDITED_FIELDS: ClassVar = ("source", "state")

    source: Source | None = None
    state: Annotated[DropState | None, Field(description="Only these")] = None
    lane: Annotated[Lane | None, Field(description="Only these")] = None
    model: ModelName | None = None
    since: Annotated[TimestampParameter | None, Field(description="A day back unless given")] = None
    until: Until = None


class DropList(ApiModel):
    """A page of drops."""

    items: Annotated[list[DropOut], Field(description="The newest first")]
    next: NextCursor = None


class SightingsQuery(PageQuery):
    """Which sightings, newest first."""

    AUDITED_FIELDS: ClassVar = ("source", "person", "status")

    source: Source | None = None
    person: Annotated[
        str | None, Field(pattern=r"^p-[0-9a-f]{12}$", description="Only of whom this id is")
    ] = None
    status: Annotated[
        Literal["known", "unknown", "ambiguous", "unfit"] | None, Field(description="Only these")
    ] = None
    since: Annotated[TimestampParameter | None, Field(description="A day back unless given")] = None
    until: Until = None


class SightingList(ApiModel):
    """A page of sightings."""

    items: Annotated[list[SightingOut], Field(description="The newest first")]
    next: NextCursor = None


class FaceSearchRequest(ApiModel):
    """A photo of one face, inside JSON; sent as image/jpeg or as a form, the last seven days are searched."""

    image: Base64Image
    days: Annotated[int, Field(ge=1, le=31, description="How far back")] = 7


class SearchHitOut(ApiModel):
    """A sighting of a stranger who looks alike."""

    sighting: SightingId
    drop: DropId
    source: SourceName
    at: Timestamp
    score: Annotated[float, Field(description="Cosine; all are above what makes two faces one person's")]
    thumbnail_url: ThumbnailUrl = None


class SearchHitList(ApiModel):
    """The most alike first."""

    items: Annotated[tuple[SearchHitOut, ...], Field(description="Of the same person, most likely")]


def parse_timestamp(text: str | None) -> datetime | None:
    """A stored time."""
    return datetime.fromisoformat(text) if text else None


class LabelRequest(ApiModel):
    """The name of a class, or the id of a person."""

    AUDITED_FIELDS: ClassVar = ("label",)

    label: Annotated[str, Field(min_length=1, max_length=100, description="A class's name, or a person's id")]


class LabelOut(ApiModel):
    """A drop with what it is said to show."""

    drop: DropId
    label: LabelText
