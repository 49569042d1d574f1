"""Predictions at once, and in batches."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, RootModel

from functions.api.schemas.fields import (
    ApiModel,
    Base64Image,
    DropId,
    FoundCount,
    LabelText,
    ModelName,
    QualityIssues,
    ReleaseId,
    Score,
    Similarity,
    SizePx,
    Source,
    Tags,
    Threshold,
    TimesMs,
)


class ObjectReference(ApiModel):
    """An object in the photos bucket."""

    key: Annotated[str, Field(min_length=1, max_length=1024, description="Of the object")]
    version: Annotated[
        str | None, Field(max_length=1024, description="Of the object; the newest unless given")
    ] = None


class InlineImage(ApiModel):
    """A picture inside JSON."""

    image: Base64Image


class StoredImage(ApiModel):
    """A picture by where it lies."""

    object: ObjectReference


class ImageInput(RootModel[InlineImage | StoredImage]):
    """A picture as base64, or where it lies; sent as image/jpeg or multipart/form-data it needs no base64."""


class PredictedSighting(ApiModel):
    """One thing in the picture."""

    status: Annotated[
        Literal["known", "unknown", "ambiguous", "unfit"],
        Field(description="Whether it is somebody known, nobody known, one of two, or too poor to say"),
    ]
    label: LabelText
    score: Similarity = None
    threshold: Threshold = None
    box_px: Annotated[tuple[float, ...] | None, Field(description="left, top, right, bottom")] = None
    quality: Score | None = None
    tags: Tags = ()
    quality_issues: QualityIssues = ()


class PredictionOut(ApiModel):
    """What the model sees; nothing of it is stored."""

    model: ModelName
    release: ReleaseId
    found: FoundCount
    size_px: SizePx = None
    times_ms: TimesMs
    sightings: Annotated[tuple[PredictedSighting, ...], Field(description="What it sees")]


class BatchRequest(ApiModel):
    """Objects that a model is to look at, through the bulk lane."""

    AUDITED_FIELDS: ClassVar = ("source",)

    source: Source
    objects: Annotated[
        tuple[ObjectReference, ...], Field(min_length=1, max_length=100, description="In the photos bucket")
    ]


class BatchAccepted(ApiModel):
    """The drops that it will be, in the same order."""

    drops: Annotated[tuple[DropId, ...], Field(description="As the objects stand in the request")]
