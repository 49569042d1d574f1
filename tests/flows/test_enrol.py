"""Enrolment: all that a person brings is judged against the gallery that the new one grows from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.memory import NOON
from vigil.drops import Object
from vigil.errors import Rejected
from vigil.flow.enrol import (
    TRIES,
    Change,
    Desk,
    NobodyThere,
    Overtaken,
    Person,
    Unenrollable,
    enrol,
    enrol_known,
)
from vigil.flow.in_force import Template
from vigil.flow.retag import retag
from vigil.seeing import Portrait


@dataclass(frozen=True)
class Print:
    vectors: dict[str, NDArray[np.float32]]
    quality: float = 1.0
    box_px: tuple[float, float, float, float] = (0, 0, 1, 1)
    portrait: Portrait | None = None


@dataclass(frozen=True)
class Book:
    """A gallery that only remembers who is in it with what."""

    version: int = 0
    people: tuple[tuple[str, bytes], ...] = ()
    growing: frozenset[str] = frozenset()


class Taken(Rejected):
    reason = "already-enrolled"


class Blank(Rejected):
    reason = "no-face"


class Stray(Rejected):
    reason = "another-face"


@dataclass
class Registry:
    """Port People, and the gallery in force."""

    book: Book = field(default_factory=Book)
    named_people: dict[str, Person] = field(default_factory=dict)
    overtakers: list[Book] = field(default_factory=list)

    def named(self, name: str) -> Person | None:
        return self.named_people.get(name)

    def person(self, ident: str) -> Person | None:
        return next((one for one in self.named_people.values() if one.id == ident), None)

    def commit(
        self, change: Change, templates: Sequence[Template], *, base: int, gallery: Book, now: datetime
    ) -> None:
        person = change.after
        if self.overtakers:
            self.book = self.overtakers.pop()
        if self.book.version != base:
            raise Overtaken("later")
        self.book, self.named_people[person.name] = gallery, person


def examine(photo: bytes, gallery: Book, person: str) -> Print:
    if photo == b"blank":
        raise Blank("no face")
    if any(known == photo and owner != person for owner, known in gallery.people):
        raise Taken("somebody else's face")
    return Print({"s": np.frombuffer(photo.ljust(4, b"\0"), np.float32)})


def strays(gallery: Book, person: str, templates: Sequence[Print]) -> dict[int, Rejected]:
    """Eve's photo among anybody else's."""
    names = [bytes(one.vectors["s"].tobytes()) for one in templates]
    return {place: Stray("another face") for place, name in enumerate(names) if name == b"eve\0" != names[0]}


def grow(gallery: Book, person: str, templates: Sequence[Print], tags: frozenset[str]) -> Book:
    faces = tuple((person, template.vectors["s"].tobytes().rstrip(b"\0")) for template in templates)
    return Book(gallery.version + 1, gallery.people + faces)


def desk(registry: Registry, erased: list[Object] | None = None) -> Desk[Book, Print]:
    return Desk(
        people=registry,
        gallery=lambda: registry.book,
        examine=examine,
        strays=strays,
        grow=grow,
        dress=lambda book, _person, _tags: Book(book.version + 1, book.people),
        fetch=lambda photo: photo.key.encode(),
        erase=(erased if erased is not None else []).append,
        clock=lambda: NOON,
    )


def photos(*keys: str) -> list[Object]:
    return [Object("store", key) for key in keys]


def test_a_person_is_taken_into_the_next_gallery():
    registry = Registry()

    enrolment = enrol(" Ann ", photos("ann"), frozenset({"watch"}), desk(registry))

    assert (enrolment.gallery_version, registry.book.people) == (1, ((enrolment.person.id, b"ann"),))
    assert registry.named("Ann") == enrolment.person


def test_an_id_tells_nothing_of_a_name():
    assert enrol("Ann", photos("ann"), frozenset(), desk(Registry())).person.id[2:].isalnum()


def test_the_same_name_is_the_same_person_with_more_templates_and_tags():
    registry = Registry()
    first = enrol("Ann", photos("ann"), frozenset({"staff"}), desk(registry))

    second = enrol("Ann", photos("an2"), frozenset({"watch"}), desk(registry))

    assert first.person.id == second.person.id
    assert second.person.tags == {"staff", "watch"}
    assert len(registry.book.people) == 2


def test_photos_that_will_not_do_are_refused_and_the_others_taken():
    enrolment = enrol("Ann", photos("blank", "ann"), frozenset(), desk(Registry()))

    assert [refusal.reason for refusal in enrolment.refused] == ["no-face"]
    assert [photo.key for photo in enrolment.taken] == ["ann"]


def test_a_photo_of_somebody_else_among_a_persons_is_refused_and_the_others_taken():
    registry = Registry()

    enrolment = enrol("Ann", photos("ann", "eve"), frozenset(), desk(registry))

    assert [(refusal.photo.key, refusal.reason) for refusal in enrolment.refused] == [("eve", "another-face")]
    assert [known for _, known in registry.book.people] == [b"ann"]


def test_where_every_photo_is_refused_nothing_changes():
    registry = Registry()

    enrolment = enrol("Ann", photos("blank"), frozenset(), desk(registry))

    assert (enrolment.taken, registry.book, registry.named_people) == ((), Book(), {})


def test_a_face_that_is_somebody_elses_is_refused():
    registry = Registry()
    enrol("Ann", photos("ann"), frozenset(), desk(registry))

    enrolment = enrol("Eve", photos("ann"), frozenset(), desk(registry))

    assert [refusal.reason for refusal in enrolment.refused] == ["already-enrolled"]


def test_two_names_for_one_face_enrolled_at_once_end_as_one_person():
    registry = Registry(overtakers=[Book(1, (("p-other", b"ann"),))])

    enrolment = enrol("Eve", photos("ann"), frozenset(), desk(registry))

    assert [refusal.reason for refusal in enrolment.refused] == ["already-enrolled"]


def test_who_is_always_overtaken_gives_up_and_may_try_again():
    registry = Registry(overtakers=[Book(version) for version in range(TRIES, 0, -1)])

    with pytest.raises(Overtaken):
        enrol("Ann", photos("ann"), frozenset(), desk(registry))


def test_photos_are_erased_once_they_were_examined():
    erased: list[Object] = []

    enrol("Ann", photos("blank", "ann"), frozenset(), desk(Registry(), erased))

    assert erased == photos("blank", "ann")


def test_photos_are_erased_too_where_nobody_can_be_enrolled():
    erased: list[Object] = []

    with pytest.raises(NobodyThere):
        enrol_known("p-0", photos("ann"), desk(Registry(), erased))

    assert erased == photos("ann")


@pytest.mark.parametrize(("name", "keys"), [(" ", ["a"]), ("x" * 101, ["a"]), ("Ann", []), ("A", ["a"] * 21)])
def test_a_request_for_nobody_or_without_photos_is_refused(name: str, keys: list[str]):
    with pytest.raises(Unenrollable):
        enrol(name, photos(*keys), frozenset(), desk(Registry()))


def test_somebody_known_by_id_gets_more_templates_under_the_same_name():
    registry = Registry()
    person = enrol("Ada", [Object("b", "ada1")], frozenset(), desk(registry)).person

    again = enrol_known(person.id, [Object("b", "ada2")], desk(registry))

    assert (again.person, [ident for ident, _ in registry.book.people]) == (person, [person.id] * 2)


def test_nobody_is_enrolled_under_an_id_that_nobody_has():
    with pytest.raises(NobodyThere):
        enrol_known("p-nobody", [Object("b", "ada1")], desk(Registry()))


def test_tags_are_put_and_dropped_and_the_gallery_moves_with_them():
    registry = Registry()
    person = enrol("Ada", [Object("b", "ada1")], frozenset({"staff"}), desk(registry)).person

    on = retag(person.id, put=frozenset({"watch"}), drop=frozenset(), desk=desk(registry))
    same = retag(person.id, put=frozenset({"watch"}), drop=frozenset(), desk=desk(registry))
    off = retag(person.id, put=frozenset(), drop=frozenset({"watch"}), desk=desk(registry))

    assert [sorted(one.tags) for one in (on, same, off)] == [
        ["staff", "watch"],
        ["staff", "watch"],
        ["staff"],
    ]
    assert registry.book.version == 3


def test_tags_survive_an_enrolment_that_crosses():
    registry = Registry()
    person = enrol("Ada", [Object("b", "ada1")], frozenset(), desk(registry)).person
    registry.overtakers = [Book(9, registry.book.people)]

    tagged = retag(person.id, put=frozenset({"watch"}), drop=frozenset(), desk=desk(registry))

    assert (set(tagged.tags), registry.book.version) == ({"watch"}, 10)
