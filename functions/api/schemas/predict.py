"""Models of synchronous and batch predictions."""

from typing import Annotated, ClassVar

from pydantic import Field, RootModel

from functions.api.schemas.fields import (
    ApiModel,
    Base64Image,
    DropId,
    FoundCount,
    GalleryName,
    ModelName,
    ModelResult,
    ReleaseId,
    SizePx,
    Source,
    TimesMs,
)
from vigil.inference.types import DEFAULT_GALLERY


class ObjectReference(ApiModel):
    """An object in the photos bucket."""

    key: Annotated[str, Field(min_length=1, max_length=1024, description="Key of the object")]
    version: Annotated[
        str | None, Field(max_length=1024, description="Version id of the object; the newest if absent")
    ] = None


class GalleryChoice(ApiModel):
    """The galleries that faces are compared with."""

    galleries: Annotated[
        tuple[GalleryName, ...],
        Field(min_length=1, max_length=10, description="Galleries that faces are compared with"),
    ] = (DEFAULT_GALLERY,)


class InlineImage(GalleryChoice):
    """An image in JSON."""

    image: Base64Image


class StoredImage(GalleryChoice):
    """An image in the photos bucket."""

    object: ObjectReference


class ImageInput(RootModel[InlineImage | StoredImage]):
    """An image in base64 or a stored object; images can also be sent as image/jpeg or as a form."""


class PredictedSighting(ModelResult):
    """One result in the image."""


class PredictionOut(ApiModel):
    """The result of a model; it is not stored."""

    model: ModelName
    release: ReleaseId
    found: FoundCount
    size_px: SizePx = None
    times_ms: TimesMs
    sightings: Annotated[tuple[PredictedSighting, ...], Field(description="Results in the image")]


class BatchRequest(ApiModel):
    """Objects to process on the bulk lane."""

    AUDITED_FIELDS: ClassVar = ("source",)

    source: Source
    objects: Annotated[
        tuple[ObjectReference, ...],
        Field(min_length=1, max_length=100, description="Objects in the photos bucket"),
    ]


class BatchAccepted(ApiModel):
    """The drops of a batch."""

    drops: Annotated[tuple[DropId, ...], Field(description="Ids of the drops, in the order of the objects")]
