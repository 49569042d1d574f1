"""Predictions at once, and in batches."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, RootModel

from functions.api.schemas.shape import Shape, Source


class Reference(Shape):
    """An object in the photos bucket."""

    key: Annotated[str, Field(min_length=1, max_length=1024)]
    version: Annotated[str | None, Field(max_length=1024)] = None


class Image(Shape):
    """A picture inside JSON."""

    image: Annotated[str, Field(description="base64", max_length=6_000_000)]


class Placed(Shape):
    """A picture by where it lies."""

    object: Reference


class Picture(RootModel[Image | Placed]):
    """A picture as base64, or where it lies; sent as image/jpeg or multipart/form-data it needs no base64."""


class Seen(Shape):
    """One thing in the picture."""

    status: Literal["known", "unknown", "ambiguous", "unfit"]
    label: str
    score: float | None = None
    threshold: float | None = None
    box_px: tuple[float, ...] | None = None
    quality: float | None = None
    tags: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


class Prediction(Shape):
    """What the model sees; nothing of it is stored."""

    model: str
    release: str
    found: int
    size_px: tuple[int, ...] | None = None
    times_ms: dict[str, float]
    sightings: tuple[Seen, ...]


class Batch(Shape):
    """Objects that a model is to look at, through the bulk lane."""

    NOTED: ClassVar = ("source",)

    source: Source
    objects: Annotated[tuple[Reference, ...], Field(min_length=1, max_length=100)]


class Queued(Shape):
    """The drops that it will be, in the same order."""

    drops: tuple[str, ...]
