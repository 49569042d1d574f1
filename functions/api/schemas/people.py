"""People: who is enrolled, from which photos, on which lists; and the receipt when they are erased."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from functions.api.schemas.shape import VISIBLE, EncodedPicture, Moment, Next, Page, Shape, Tags, Who

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=VISIBLE),
    Field(description="It stands in one table, and nowhere else"),
]
Tag = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]


class NewPerson(Shape):
    """Somebody new; photos follow."""

    name: Name
    tags: Annotated[tuple[Tag, ...], Field(max_length=10, description="Lists to be on: watch, staff")] = ()


class PersonId(Shape):
    """Whom it is about. The id is random: nothing about them can be read from it."""

    person: Who
    tags: Tags | None = None


class Person(Shape):
    """Somebody enrolled, or to be enrolled."""

    person: Who
    name: Annotated[str, Field(description="As it was given", examples=["Ada Lovelace"])]
    tags: Tags
    watched: Annotated[bool, Field(description="Whether they are on the watch list")]
    learn: Annotated[bool, Field(description="Whether they agree that models learn from their pictures")]
    changed_at: Moment


class PeopleQuery(Page):
    """Which people, in the order of their ids."""

    NOTED: ClassVar = ("tag",)

    tag: Annotated[Tag | None, Field(description="Only those on this list")] = None


class People(Shape):
    """A page of people."""

    items: Annotated[list[Person], Field(description="In the order of their ids")]
    next: Next = None


class NewName(Shape):
    """Another name."""

    name: Name


class Photo(Shape):
    """An image inside JSON."""

    image: EncodedPicture


class Taken(Shape):
    """A photo that became a template."""

    person: Who
    gallery_version: Annotated[int, Field(description="In force within seconds")]


class Receipt(Shape):
    """What was erased, and when; nothing in it says who it was."""

    person: Who
    erased_at: Annotated[str, Field(description="ISO 8601, with its offset")]
    gallery_version: Annotated[int, Field(description="From which on they are recognised no more")]
    erased: Annotated[
        dict[str, int],
        Field(description="How many of each kind", examples=[{"photos": 3, "sightings": 4, "templates": 2}]),
    ]


class SealedReceipt(Shape):
    """A receipt with this deployment's seal: `./vigil erasure verify` checks both seal and truth."""

    receipt: Receipt
    seal: Annotated[str, Field(description="HMAC by KMS over the receipt's JSON, keys sorted, no spaces")]
