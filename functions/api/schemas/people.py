"""People: who is enrolled, from which photos, on which lists; and the receipt when they are erased."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from functions.api.schemas.fields import (
    VISIBLE_CHARACTER,
    ApiModel,
    Base64Image,
    NextCursor,
    PageQuery,
    PersonId,
    Tags,
    Timestamp,
)

PersonName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=VISIBLE_CHARACTER),
    Field(description="It stands in one table, and nowhere else"),
]
Tag = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]


class NewPerson(ApiModel):
    """Somebody new; photos follow."""

    name: PersonName
    tags: Annotated[tuple[Tag, ...], Field(max_length=10, description="Lists to be on: watch, staff")] = ()


class PersonRef(ApiModel):
    """Whom it is about. The id is random: nothing about them can be read from it."""

    id: PersonId
    tags: Tags | None = None


class PersonOut(ApiModel):
    """Somebody enrolled, or to be enrolled."""

    id: PersonId
    name: Annotated[str, Field(description="As it was given", examples=["Ada Lovelace"])]
    tags: Tags
    watched: Annotated[bool, Field(description="Whether they are on the watch list")]
    training_consent: Annotated[
        bool, Field(description="Whether they agree that models learn from their pictures")
    ]
    changed_at: Timestamp


class PeopleQuery(PageQuery):
    """Which people, in the order of their ids."""

    AUDITED_FIELDS: ClassVar = ("tag",)

    tag: Annotated[Tag | None, Field(description="Only those on this list")] = None


class PersonList(ApiModel):
    """A page of people."""

    items: Annotated[list[PersonOut], Field(description="In the order of their ids")]
    next: NextCursor = None


class NewName(ApiModel):
    """Another name."""

    name: PersonName


class PhotoUpload(ApiModel):
    """An image inside JSON."""

    image: Base64Image


class EnrolledPhoto(ApiModel):
    """A photo that became a template."""

    person: PersonId
    gallery_version: Annotated[int, Field(description="In force within seconds")]


class ErasureReceiptOut(ApiModel):
    """What was erased, and when; nothing in it says who it was."""

    person: PersonId
    erased_at: Annotated[str, Field(description="ISO 8601, with its offset")]
    gallery_version: Annotated[int, Field(description="From which on they are recognised no more")]
    erased: Annotated[
        dict[str, int],
        Field(description="How many of each kind", examples=[{"photos": 3, "sightings": 4, "templates": 2}]),
    ]


class SignedReceipt(ApiModel):
    """A receipt with this deployment's seal: `./vigil erasure verify` checks both seal and truth."""

    receipt: ErasureReceiptOut
    mac: Annotated[str, Field(description="HMAC by KMS over the receipt's JSON, keys sorted, no spaces")]
