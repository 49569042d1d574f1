"""Predictions at once, and in batches."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, RootModel

from functions.api.schemas.shape import (
    DropId,
    EncodedPicture,
    Faults,
    Found,
    ModelName,
    ReleaseId,
    Said,
    Score,
    Shape,
    Similarity,
    SizePx,
    Source,
    Tags,
    Threshold,
    TimesMs,
)


class Reference(Shape):
    """An object in the photos bucket."""

    key: Annotated[str, Field(min_length=1, max_length=1024, description="Of the object")]
    version: Annotated[
        str | None, Field(max_length=1024, description="Of the object; the newest unless given")
    ] = None


class Image(Shape):
    """A picture inside JSON."""

    image: EncodedPicture


class Placed(Shape):
    """A picture by where it lies."""

    object: Reference


class Picture(RootModel[Image | Placed]):
    """A picture as base64, or where it lies; sent as image/jpeg or multipart/form-data it needs no base64."""


class Seen(Shape):
    """One thing in the picture."""

    status: Annotated[
        Literal["known", "unknown", "ambiguous", "unfit"],
        Field(description="Whether it is somebody known, nobody known, one of two, or too poor to say"),
    ]
    label: Said
    score: Similarity = None
    threshold: Threshold = None
    box_px: Annotated[tuple[float, ...] | None, Field(description="left, top, right, bottom")] = None
    quality: Score | None = None
    tags: Tags = ()
    faults: Faults = ()


class Prediction(Shape):
    """What the model sees; nothing of it is stored."""

    model: ModelName
    release: ReleaseId
    found: Found
    size_px: SizePx = None
    times_ms: TimesMs
    sightings: Annotated[tuple[Seen, ...], Field(description="What it sees")]


class Batch(Shape):
    """Objects that a model is to look at, through the bulk lane."""

    NOTED: ClassVar = ("source",)

    source: Source
    objects: Annotated[
        tuple[Reference, ...], Field(min_length=1, max_length=100, description="In the photos bucket")
    ]


class Queued(Shape):
    """The drops that it will be, in the same order."""

    drops: Annotated[tuple[DropId, ...], Field(description="As the objects stand in the request")]
