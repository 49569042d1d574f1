"""Models of comparisons of faces."""

from typing import Annotated, ClassVar

from pydantic import Field

from functions.api.schemas.fields import ApiModel, Base64Image, BoxPx, GalleryName, PersonId
from vigil.inference.types import DEFAULT_GALLERY

Similarity = Annotated[
    float,
    Field(
        description="Similarity in percent, from the false match rate: 80 is one false match in 1,000",
        examples=[99.2],
    ),
]


class PhotoPair(ApiModel):
    """Two photos in JSON."""

    image: Base64Image
    other_image: Base64Image


class ComparedFace(ApiModel):
    """A face of the second photo."""

    box_px: BoxPx
    similarity: Similarity


class FaceComparison(ApiModel):
    """The largest face of the first photo, compared with each face of the second one."""

    box_px: BoxPx
    faces: Annotated[tuple[ComparedFace, ...], Field(description="Faces, the most similar first")]


class FaceProbe(ApiModel):
    """A photo whose largest face is compared with a gallery."""

    AUDITED_FIELDS: ClassVar = ("gallery",)

    image: Base64Image
    gallery: GalleryName = DEFAULT_GALLERY
    limit: Annotated[int, Field(ge=1, le=50, description="Candidates at most")] = 5


class FaceCandidateOut(ApiModel):
    """An enrolled person who is similar to the face."""

    person: PersonId
    name: Annotated[str | None, Field(description="Name of the person", examples=["Ada Lovelace"])] = None
    similarity: Similarity


class FaceCandidateList(ApiModel):
    """Candidates, also those who are too little similar to be recognised."""

    items: Annotated[tuple[FaceCandidateOut, ...], Field(description="Candidates, the most similar first")]
