"""People: who is enrolled, from which photos, on which lists; and the receipt when they are erased."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from functions.api.schemas.shape import Moment, Page, Shape

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Tag = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]


class NewPerson(Shape):
    """Somebody new; photos follow."""

    name: Name
    tags: Annotated[tuple[Tag, ...], Field(max_length=10)] = ()


class PersonId(Shape):
    """Whom it is about. The id is random: nothing about them can be read from it."""

    person: str
    tags: tuple[str, ...] | None = None


class Person(Shape):
    """Somebody enrolled, or to be enrolled."""

    person: str
    name: str
    tags: tuple[str, ...]
    watched: bool
    learn: Annotated[bool, Field(description="Whether they agree that models learn from their pictures")]
    changed_at: Moment


class PeopleQuery(Page):
    """Which people, in the order of their ids."""

    NOTED: ClassVar = ("tag",)

    tag: Tag | None = None


class People(Shape):
    """A page of people."""

    items: list[Person]
    next: str | None = None


class NewName(Shape):
    """Another name."""

    name: Name


class Photo(Shape):
    """An image inside JSON."""

    image: Annotated[str, Field(description="base64", max_length=6_000_000)]


class Taken(Shape):
    """A photo that became a template."""

    person: str
    gallery_version: Annotated[int, Field(description="In force within seconds")]


class Receipt(Shape):
    """What was erased, and when; nothing in it says who it was."""

    person: str
    erased_at: str
    gallery_version: int
    erased: dict[str, int]


class SealedReceipt(Shape):
    """A receipt with this deployment's seal: `./vigil erasure verify` checks both seal and truth."""

    receipt: Receipt
    seal: Annotated[str, Field(description="HMAC by KMS over the receipt's JSON, keys sorted, no spaces")]
