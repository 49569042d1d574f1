"""Uploads and drops."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from functions.api.schemas.shape import (
    DropId,
    EncodedPicture,
    Faults,
    Forgotten,
    Found,
    From,
    LaneName,
    ModelName,
    Moment,
    Next,
    Page,
    ReleaseId,
    Said,
    Score,
    Shape,
    SightingId,
    Similarity,
    SizePx,
    Source,
    Tags,
    Threshold,
    Thumbnail,
    TimesMs,
    Until,
    When,
)

Lane = Literal["live", "bulk"]
DropState = Literal["claimed", "done", "rejected", "quarantined"]
Wait = Annotated[
    int, Field(ge=0, le=20, description="Answer when it has ended, or after so many seconds as it is then")
]


class NewUpload(Shape):
    """What is going to be uploaded."""

    NOTED: ClassVar = ("source", "lane", "model")

    source: Source
    lane: Annotated[Lane, Field(description="live, or bulk for what may wait")] = "live"
    model: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Who looks at it")] = (
        "faces"
    )
    suffix: Annotated[str, Field(pattern=r"^\.[a-z0-9]{1,8}$", description="Of the file: .jpg")] = ".jpg"


class Upload(Shape):
    """POST the file to `url` as multipart/form-data, with `fields` before it; S3 checks type and size."""

    upload: Annotated[str, Field(description="What to ask for with GET /v1/uploads")]
    url: Annotated[str, Field(description="Where the form goes")]
    fields: Annotated[dict[str, str], Field(description="Of the form, as they are")]
    most_bytes: Annotated[int, Field(description="That S3 takes")]
    expires_at: Moment


class Waiting(Shape):
    """How long to wait."""

    wait: Wait = 0


class Uploaded(Shape):
    """What became of an upload: no drop as long as nothing has arrived."""

    upload: Annotated[str, Field(description="What was asked for")]
    drop: DropId | None = None
    state: Annotated[DropState | None, Field(description="Of the drop")] = None


class Sighting(Shape):
    """One thing that a model saw in one drop."""

    sighting: SightingId
    drop: DropId
    source: From
    model: ModelName
    at: Moment
    status: Annotated[
        Literal["known", "unknown", "ambiguous", "unfit"],
        Field(description="Whether it is somebody known, nobody known, one of two, or too poor to say"),
    ]
    person: Annotated[str | None, Field(description="Who, where somebody enrolled was recognised")] = None
    label: Said
    score: Similarity = None
    threshold: Threshold = None
    box_px: Annotated[list[float] | None, Field(description="left, top, right, bottom")] = None
    quality: Score | None = None
    faults: Faults = ()
    tags: Tags = ()
    forgotten: Forgotten = False
    thumbnail_url: Thumbnail = None


class Drop(Shape):
    """The record of one drop, and what was seen in it once it is done."""

    drop: DropId
    state: Annotated[DropState, Field(description="claimed until it has its end", examples=["done"])]
    lane: LaneName
    model: ModelName
    source: From
    at: Moment
    attempts: Annotated[int, Field(description="How often it was taken up", examples=[1])]
    stage: Annotated[str | None, Field(description="Where the last attempt was", examples=["keep"])] = None
    release: ReleaseId | None = None
    reason: Annotated[
        str | None,
        Field(description="Why it was rejected or quarantined; stable"),
    ] = None
    message: Annotated[str | None, Field(description="The same, for people")] = None
    settled_at: Moment | None = None
    size_px: SizePx = None
    found: Found | None = None
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
    thumbnail_url: Thumbnail = None
    sightings: Annotated[list[Sighting] | None, Field(description="What was seen in it, once it is done")] = (
        None
    )


class DropsQuery(Page):
    """Which drops, newest first."""

    NOTED: ClassVar = ("source", "state")

    source: Source | None = None
    state: Annotated[DropState | None, Field(description="Only these")] = None
    lane: Annotated[Lane | None, Field(description="Only these")] = None
    model: ModelName | None = None
    since: Annotated[When | None, Field(description="A day back unless given")] = None
    until: Until = None


class Drops(Shape):
    """A page of drops."""

    items: Annotated[list[Drop], Field(description="The newest first")]
    next: Next = None


class SightingsQuery(Page):
    """Which sightings, newest first."""

    NOTED: ClassVar = ("source", "person", "status")

    source: Source | None = None
    person: Annotated[
        str | None, Field(pattern=r"^p-[0-9a-f]{12}$", description="Only of whom this id is")
    ] = None
    status: Annotated[
        Literal["known", "unknown", "ambiguous", "unfit"] | None, Field(description="Only these")
    ] = None
    since: Annotated[When | None, Field(description="A day back unless given")] = None
    until: Until = None


class Sightings(Shape):
    """A page of sightings."""

    items: Annotated[list[Sighting], Field(description="The newest first")]
    next: Next = None


class SearchPhoto(Shape):
    """A photo of one face, inside JSON; sent as image/jpeg or as a form, the last seven days are searched."""

    image: EncodedPicture
    days: Annotated[int, Field(ge=1, le=31, description="How far back")] = 7


class Likeness(Shape):
    """A sighting of a stranger who looks alike."""

    sighting: SightingId
    drop: DropId
    source: From
    at: Moment
    score: Annotated[float, Field(description="Cosine; all are above what makes two faces one person's")]
    thumbnail_url: Thumbnail = None


class Likenesses(Shape):
    """The most alike first."""

    items: Annotated[tuple[Likeness, ...], Field(description="Of the same person, most likely")]


def moment(text: str | None) -> datetime | None:
    """A stored time."""
    return datetime.fromisoformat(text) if text else None


class Label(Shape):
    """The name of a class, or the id of a person."""

    NOTED: ClassVar = ("label",)

    label: Annotated[str, Field(min_length=1, max_length=100, description="A class's name, or a person's id")]


class Labelled(Shape):
    """A drop with what it is said to show."""

    drop: DropId
    label: Said
