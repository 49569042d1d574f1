"""People: made, enrolled, renamed, watched, erased."""

from datetime import UTC, datetime
from typing import Any

from cloud.profiles import NameTaken
from functions.api import wiring
from functions.api.images import MEDIA, image, suffix, unpacked
from functions.api.operation import Call, Operation
from functions.api.paging import cursor, position
from functions.api.problems import BadCursor, Conflict, NotFound, Refused
from functions.api.schemas import people as shapes
from functions.settings import settings
from vigil.flow.enrol import Person, new_id
from vigil.learn.consent import LEARN

WATCH = "watch"


def create_person(_: Call, new: shapes.NewPerson) -> shapes.PersonId:
    """Somebody new, without a face yet."""
    person = Person(new_id(), new.name, frozenset(new.tags))
    try:
        wiring.profiles().create(person, datetime.now(UTC))
    except NameTaken as error:
        raise Conflict("somebody has that name") from error
    return shapes.PersonId(person=person.id, tags=tuple(sorted(person.tags)))


def list_people(call: Call, query: shapes.PeopleQuery) -> shapes.People:
    """Everybody, in the order of their ids."""
    rows = wiring.profiles().listed(after=position(call, query, "people"), at_once=query.limit + 1)
    fitting = (row for row in rows if query.tag is None or query.tag in row.get("tags", ()))
    kept: list[dict[str, Any]] = []
    for row in fitting:
        if len(kept) == query.limit:
            further = cursor(call, query, "people", kept[-1]["person"])
            return shapes.People(items=[_shown(one) for one in kept], next=further)
        kept.append(row)
    return shapes.People(items=[_shown(one) for one in kept])


def get_person(call: Call) -> shapes.Person:
    """One person."""
    return _shown(_row(call))


def rename_person(call: Call, new: shapes.NewName) -> shapes.PersonId:
    """Another name for the same person."""
    row = _row(call)
    before = Person(row["person"], row["name"], frozenset(row.get("tags", ())))
    try:
        wiring.profiles().rename(before, new.name, datetime.now(UTC))
    except NameTaken as error:
        raise Conflict("somebody has that name, or it has changed meanwhile") from error
    return shapes.PersonId(person=before.id)


def enrol_photo(call: Call, photo: shapes.Photo | None = None) -> shapes.Taken:
    """One photo of that face alone; refused with the reason and the place in the picture."""
    _row(call)
    data = image(call) if photo is None else unpacked(photo.image)
    person = call.path["person"]
    put = wiring.store().put_photo(person, data, suffix(call))
    question = {"person": person, "photos": [{"key": put.key, "version": put.version}]}
    told = answered(wiring.neighbours().ask(settings().enrol_function, question))
    for refusal in told["refused"]:
        boxes = {"boxes_px": refusal["boxes_px"]} if "boxes_px" in refusal else {}
        raise Refused(refusal["message"], reason=refusal["reason"], **boxes)
    return shapes.Taken(person=told["person"], gallery_version=told["gallery_version"])


def erase_person(call: Call) -> shapes.SealedReceipt:
    """Everything about them, everywhere; a sealed receipt says what was erased."""
    question = {"person": call.path["person"]}
    return shapes.SealedReceipt(**answered(wiring.neighbours().ask(settings().erase_function, question)))


def answered(told: dict[str, Any]) -> dict[str, Any]:
    """What a function said, or the problem in it."""
    if "error" not in told:
        return told
    if told["error"]["reason"] == "nobody-there":
        raise NotFound
    raise Refused(told["error"]["message"], reason=told["error"]["reason"])


def _row(call: Call) -> dict[str, Any]:
    row = wiring.profiles().find(call.path["person"])
    if row is None:
        raise NotFound
    return row


def _shown(row: dict[str, Any]) -> shapes.Person:
    tags = tuple(sorted(row.get("tags", ())))
    return shapes.Person(
        person=row["person"],
        name=row["name"],
        tags=tags,
        watched=WATCH in tags,
        learn=LEARN in tags,
        changed_at=row["changed_at"],
    )


OPERATIONS = (
    Operation(
        "POST",
        "/v1/people",
        name="create-person",
        summary="Somebody new",
        serve=create_person,
        role="operator",
        takes=shapes.NewPerson,
        answers=shapes.PersonId,
        status=201,
        audited=True,
        example={"name": "Ada Lovelace", "tags": ["staff"]},
        problems=(Conflict,),
    ),
    Operation(
        "GET",
        "/v1/people",
        name="list-people",
        summary="Everybody, in the order of their ids",
        serve=list_people,
        role="reviewer",
        takes=shapes.PeopleQuery,
        answers=shapes.People,
        audited=True,
        example={"limit": 10},
        problems=(BadCursor,),
    ),
    Operation(
        "GET",
        "/v1/people/{person}",
        name="get-person",
        summary="One person",
        serve=get_person,
        role="reviewer",
        answers=shapes.Person,
        audited=True,
        problems=(NotFound,),
    ),
    Operation(
        "PATCH",
        "/v1/people/{person}",
        name="rename-person",
        summary="Another name",
        serve=rename_person,
        role="operator",
        takes=shapes.NewName,
        answers=shapes.PersonId,
        audited=True,
        example={"name": "Ada King"},
        problems=(NotFound, Conflict),
    ),
    Operation(
        "POST",
        "/v1/people/{person}/photos",
        name="enrol-photo",
        summary="Enrol one photo",
        serve=enrol_photo,
        role="operator",
        takes=shapes.Photo,
        answers=shapes.Taken,
        status=201,
        media=MEDIA,
        audited=True,
        problems=(NotFound, Refused),
    ),
    Operation(
        "DELETE",
        "/v1/people/{person}",
        name="erase-person",
        summary="Erase a person, with a sealed receipt",
        serve=erase_person,
        role="admin",
        answers=shapes.SealedReceipt,
        audited=True,
        problems=(NotFound,),
    ),
)
