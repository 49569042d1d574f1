"""Models of people, enrolment and erasure."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints

from functions.api.schemas.fields import (
    VISIBLE_LINE,
    ApiModel,
    Base64Image,
    GalleryName,
    NextCursor,
    PageQuery,
    PersonId,
    Tags,
    Timestamp,
)
from vigil.inference.types import DEFAULT_GALLERY
from vigil.people.person import MAX_NAME_LENGTH, InvalidName, parse_name


def _parse_name(text: str) -> str:
    try:
        return parse_name(text)
    except InvalidName as error:
        raise ValueError(str(error)) from error


PersonName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=MAX_NAME_LENGTH,
        pattern=VISIBLE_LINE,
    ),
    AfterValidator(_parse_name),
    Field(description="Name of the person; stored in the people table only"),
]
Tag = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]


class NewPerson(ApiModel):
    """A person to create."""

    name: PersonName
    tags: Annotated[
        tuple[Tag, ...], Field(max_length=10, description="Tags of the person, such as watch or staff")
    ] = ()
    gallery: GalleryName = DEFAULT_GALLERY


class PersonRef(ApiModel):
    """The id and tags of a person."""

    id: PersonId
    tags: Tags | None = None


class PersonOut(ApiModel):
    """A person."""

    id: PersonId
    name: Annotated[str, Field(description="Name of the person", examples=["Ada Lovelace"])]
    gallery: GalleryName
    tags: Tags
    watched: Annotated[bool, Field(description="Whether the person is on the watch list")]
    training_consent: Annotated[
        bool, Field(description="Whether the person consents to training on their pictures")
    ]
    changed_at: Timestamp
    photos: Annotated[
        int | None, Field(description="Number of enrolled photos; only of a single person", examples=[3])
    ] = None


class PersonPhotoOut(ApiModel):
    """An enrolled photo: a template of the person. The photo itself is not stored."""

    id: Annotated[
        str,
        Field(description="Id of the enrolled photo", examples=["4c1f09ab-72de-0000-0011-00ab12cd34ef"]),
    ]
    enrolled_at: Timestamp
    quality: Annotated[float, Field(description="Quality of the face, 0 to 1", examples=[0.82])]
    external_id: Annotated[
        str | None, Field(description="How the client that indexed the photo names it", examples=["badge-17"])
    ] = None


class PersonPhotoList(ApiModel):
    """The enrolled photos of a person."""

    items: Annotated[tuple[PersonPhotoOut, ...], Field(description="Photos, newest first")]


class PeopleQuery(PageQuery):
    """Filters of a list of people."""

    AUDITED_FIELDS: ClassVar = ("tag", "gallery")

    gallery: Annotated[GalleryName | None, Field(description="Only people in this gallery")] = None
    tag: Annotated[Tag | None, Field(description="Only people with this tag")] = None
    name: Annotated[
        str | None,
        Field(min_length=1, max_length=100, description="Only people whose name contains this, in any case"),
    ] = None


class PersonList(ApiModel):
    """A page of people."""

    items: Annotated[list[PersonOut], Field(description="People in the order of their ids")]
    next: NextCursor = None


class NewName(ApiModel):
    """A new name of a person."""

    name: PersonName


class PhotoUpload(ApiModel):
    """A photo in JSON."""

    image: Base64Image


class EnrolledPhoto(ApiModel):
    """A photo that was enrolled."""

    person: PersonId
    gallery_version: Annotated[
        int, Field(description="Version of the gallery with the new template; lanes use it within seconds")
    ]


class ErasureReceiptOut(ApiModel):
    """What was erased and when; it contains no personal data."""

    person: PersonId
    erased_at: Annotated[str, Field(description="Time in ISO 8601 with UTC offset")]
    gallery_version: Annotated[int, Field(description="First version of the gallery without the person")]
    erased: Annotated[
        dict[str, int],
        Field(
            description="Number of erased items by kind",
            examples=[{"photos": 3, "sightings": 4, "templates": 2}],
        ),
    ]
    unreadable_datasets: Annotated[
        tuple[str, ...], Field(description="Data sets that could not be searched, as model/data set")
    ]
    retained_days: Annotated[
        dict[str, int],
        Field(description="Days for which AWS keeps older backups of tables and older logs"),
    ]


class ErasureOut(ApiModel):
    """How far an erasure is; at its end with a signed receipt.

    `./vigil people verify-erasure` checks the signature and that nothing remains.
    """

    person: PersonId
    state: Annotated[
        Literal["running", "completed"], Field(description="A running erasure is continued every minute")
    ]
    step: Annotated[str | None, Field(description="What is being erased while it is running")] = None
    erased: Annotated[dict[str, int], Field(description="Number of erased items so far, by kind")]
    receipt: ErasureReceiptOut | None = None
    mac: Annotated[
        str | None,
        Field(description="KMS HMAC of the receipt as JSON with sorted keys and without spaces"),
    ] = None
