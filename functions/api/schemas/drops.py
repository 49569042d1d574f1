"""Uploads and drops."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from functions.api.schemas.shape import Moment, Page, Score, Shape, Source, When

Lane = Literal["live", "bulk"]
DropState = Literal["claimed", "done", "rejected", "quarantined"]
Wait = Annotated[
    int, Field(ge=0, le=20, description="Answer when it has ended, or after so many seconds as it is then")
]


THUMBNAIL = "A JPEG of at most 320 pixels, for five minutes; ask with Accept: image/jpeg, without a token"


class NewUpload(Shape):
    """What is going to be uploaded."""

    NOTED: ClassVar = ("source", "lane", "model")

    source: Source
    lane: Lane = "live"
    model: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = "faces"
    suffix: Annotated[str, Field(pattern=r"^\.[a-z0-9]{1,8}$", description="Of the file: .jpg")] = ".jpg"


class Upload(Shape):
    """POST the file to `url` as multipart/form-data, with `fields` before it; S3 checks type and size."""

    upload: str
    url: str
    fields: dict[str, str]
    most_bytes: int
    expires_at: Moment


class Waiting(Shape):
    """How long to wait."""

    wait: Wait = 0


class Uploaded(Shape):
    """What became of an upload: no drop as long as nothing has arrived."""

    upload: str
    drop: str | None = None
    state: DropState | None = None


class Sighting(Shape):
    """One thing that a model saw in one drop."""

    sighting: str
    drop: str
    source: str
    model: str
    at: Moment
    status: Literal["known", "unknown", "ambiguous", "unfit"]
    person: Annotated[str | None, Field(description="Who, where somebody enrolled was recognised")] = None
    label: str
    score: float | None = None
    threshold: float | None = None
    box_px: Annotated[list[float] | None, Field(description="left, top, right, bottom")] = None
    quality: Score | None = None
    faults: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    thumbnail_url: Annotated[str | None, Field(description=THUMBNAIL)] = None


class Drop(Shape):
    """The record of one drop, and what was seen in it once it is done."""

    drop: str
    state: DropState
    lane: str
    model: str
    source: str
    at: Moment
    attempts: int
    stage: str | None = None
    release: str | None = None
    reason: str | None = None
    message: str | None = None
    settled_at: Moment | None = None
    size_px: list[int] | None = None
    found: int | None = None
    alerts: int | None = None
    times_ms: dict[str, float] | None = None
    photo_url: Annotated[str | None, Field(description="The photo itself, for five minutes")] = None
    thumbnail_url: Annotated[str | None, Field(description=THUMBNAIL)] = None
    sightings: list[Sighting] | None = None


class DropsQuery(Page):
    """Which drops, newest first."""

    NOTED: ClassVar = ("source", "state")

    source: Source | None = None
    state: DropState | None = None
    lane: Lane | None = None
    model: str | None = None
    since: Annotated[When | None, Field(description="A day back unless given")] = None


class Drops(Shape):
    """A page of drops."""

    items: list[Drop]
    next: str | None = None


class SightingsQuery(Page):
    """Which sightings, newest first."""

    NOTED: ClassVar = ("source", "person", "status")

    source: Source | None = None
    person: Annotated[str | None, Field(pattern=r"^p-[0-9a-f]{12}$")] = None
    status: Literal["known", "unknown", "ambiguous", "unfit"] | None = None
    since: When | None = None
    until: Annotated[When | None, Field(description="Before this moment")] = None


class Sightings(Shape):
    """A page of sightings."""

    items: list[Sighting]
    next: str | None = None


class SearchPhoto(Shape):
    """A photo of one face, inside JSON; sent as image/jpeg or as a form, the last seven days are searched."""

    image: Annotated[str, Field(description="base64", max_length=6_000_000)]
    days: Annotated[int, Field(ge=1, le=31)] = 7


class Likeness(Shape):
    """A sighting of a stranger who looks alike."""

    sighting: str
    drop: str
    source: str
    at: Moment
    score: Annotated[float, Field(description="Cosine; all are above what makes two faces one person's")]


class Likenesses(Shape):
    """The most alike first."""

    items: tuple[Likeness, ...]


def moment(text: str | None) -> datetime | None:
    """A stored time."""
    return datetime.fromisoformat(text) if text else None


class Label(Shape):
    """The name of a class, or the id of a person."""

    NOTED: ClassVar = ("label",)

    label: Annotated[str, Field(min_length=1, max_length=100)]


class Labelled(Shape):
    """A drop with what it is said to show."""

    drop: str
    label: str
