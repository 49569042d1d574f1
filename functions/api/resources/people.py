"""People: made, enrolled, renamed, watched, erased."""

from datetime import UTC, datetime
from typing import Any

from cloud.dynamodb.people import NameTaken
from functions.api.media import (
    IMAGE_BODY_TYPES,
    decode_base64_image,
    file_suffix,
    read_image,
)
from functions.api.operation import Call, Operation
from functions.api.pagination import next_cursor, start_position
from functions.api.problems import (
    Conflict,
    InvalidCursor,
    NotFound,
    UnprocessableContent,
)
from functions.api.schemas.people import (
    EnrolledPhoto,
    NewName,
    NewPerson,
    PeopleQuery,
    PersonList,
    PersonOut,
    PersonRef,
    PhotoUpload,
    SignedReceipt,
)
from functions.runtime.settings import settings
from functions.runtime.wiring_api import functions, profiles, store
from vigil.people.consent import TRAINING_CONSENT_TAG
from vigil.people.enrolment import Person, new_person_id

WATCH_TAG = "watch"


def create_person(_: Call, new: NewPerson) -> PersonRef:
    """Somebody new, without a face yet."""
    person = Person(new_person_id(), new.name, frozenset(new.tags))
    try:
        profiles().create(person, datetime.now(UTC))
    except NameTaken as error:
        raise Conflict("somebody has that name") from error
    return PersonRef(id=person.id, tags=tuple(sorted(person.tags)))


def list_people(call: Call, query: PeopleQuery) -> PersonList:
    """Everybody, in the order of their ids."""
    rows = profiles().list_page(after=start_position(call, query, "people"), page_size=query.limit + 1)
    matching = (row for row in rows if query.tag is None or query.tag in row.get("tags", ()))
    selected: list[dict[str, Any]] = []
    for row in matching:
        if len(selected) == query.limit:
            next_page = next_cursor(call, query, "people", selected[-1]["person"])
            return PersonList(items=[_to_person(one) for one in selected], next=next_page)
        selected.append(row)
    return PersonList(items=[_to_person(one) for one in selected])


def get_person(call: Call) -> PersonOut:
    """One person."""
    return _to_person(_person_row(call))


def rename_person(call: Call, new: NewName) -> PersonRef:
    """Another name for the same person."""
    row = _person_row(call)
    person = Person(row["person"], row["name"], frozenset(row.get("tags", ())))
    try:
        profiles().rename(person, new.name, datetime.now(UTC))
    except NameTaken as error:
        raise Conflict("somebody has that name, or it has changed meanwhile") from error
    return PersonRef(id=person.id)


def enrol_photo(call: Call, photo: PhotoUpload | None = None) -> EnrolledPhoto:
    """One photo of that face alone; refused with the reason and the place in the picture."""
    _person_row(call)
    data = read_image(call) if photo is None else decode_base64_image(photo.image)
    person = call.path["person"]
    uploaded = store().save_pending_photo(person, data, file_suffix(call))
    payload = {"person": person, "photos": [{"key": uploaded.key, "version": uploaded.version}]}
    response = checked_response(functions().invoke(settings().enrol_function, payload))
    for refusal in response["rejected"]:
        boxes = {"boxes_px": refusal["boxes_px"]} if "boxes_px" in refusal else {}
        raise UnprocessableContent(refusal["message"], reason=refusal["reason"], **boxes)
    return EnrolledPhoto(person=response["person"], gallery_version=response["gallery_version"])


def erase_person(call: Call) -> SignedReceipt:
    """Everything about them, everywhere; a sealed receipt says what was erased."""
    payload = {"person": call.path["person"]}
    return SignedReceipt(**checked_response(functions().invoke(settings().erase_function, payload)))


def checked_response(response: dict[str, Any]) -> dict[str, Any]:
    """What a function said, or the problem in it."""
    if "error" not in response:
        return response
    if response["error"]["reason"] == "person-not-found":
        raise NotFound
    raise UnprocessableContent(response["error"]["message"], reason=response["error"]["reason"])


def _person_row(call: Call) -> dict[str, Any]:
    row = profiles().find(call.path["person"])
    if row is None:
        raise NotFound
    return row


def _to_person(row: dict[str, Any]) -> PersonOut:
    tags = tuple(sorted(row.get("tags", ())))
    return PersonOut(
        id=row["person"],
        name=row["name"],
        tags=tags,
        watched=WATCH_TAG in tags,
        training_consent=TRAINING_CONSENT_TAG in tags,
        changed_at=row["changed_at"],
    )


OPERATIONS = (
    Operation(
        "POST",
        "/v1/people",
        name="create-person",
        summary="Somebody new",
        handler=create_person,
        role="operator",
        request_model=NewPerson,
        response_model=PersonRef,
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
        handler=list_people,
        role="reviewer",
        request_model=PeopleQuery,
        response_model=PersonList,
        audited=True,
        example={"limit": 10},
        problems=(InvalidCursor,),
    ),
    Operation(
        "GET",
        "/v1/people/{person}",
        name="get-person",
        summary="One person",
        handler=get_person,
        role="reviewer",
        response_model=PersonOut,
        audited=True,
        problems=(NotFound,),
    ),
    Operation(
        "PATCH",
        "/v1/people/{person}",
        name="rename-person",
        summary="Another name",
        handler=rename_person,
        role="operator",
        request_model=NewName,
        response_model=PersonRef,
        audited=True,
        example={"name": "Ada King"},
        problems=(NotFound, Conflict),
    ),
    Operation(
        "POST",
        "/v1/people/{person}/photos",
        name="enrol-photo",
        summary="Enrol one photo",
        handler=enrol_photo,
        role="operator",
        request_model=PhotoUpload,
        response_model=EnrolledPhoto,
        status=201,
        body_types=IMAGE_BODY_TYPES,
        audited=True,
        problems=(NotFound, UnprocessableContent),
    ),
    Operation(
        "DELETE",
        "/v1/people/{person}",
        name="erase-person",
        summary="Erase a person, with a sealed receipt",
        handler=erase_person,
        role="admin",
        response_model=SignedReceipt,
        audited=True,
        problems=(NotFound,),
    ),
)


# MERGED: What people are tagged with: the watch list, and consent to be learned from.


def watch_person(call: Call) -> PersonRef:
    """On the watch list: an alert whenever they are seen."""
    return _change_tags(call, {"add": [WATCH_TAG]})


def unwatch_person(call: Call) -> PersonRef:
    """Off the watch list."""
    return _change_tags(call, {"remove": [WATCH_TAG]})


def consent_to_learning(call: Call) -> PersonRef:
    """They agree that models learn from their pictures, where the source allows it."""
    return _change_tags(call, {"add": [TRAINING_CONSENT_TAG]})


def withdraw_consent(call: Call) -> PersonRef:
    """They do not agree any more: what stored data sets hold of them is deleted within the hour."""
    return _change_tags(call, {"remove": [TRAINING_CONSENT_TAG]})


def _change_tags(call: Call, change: dict[str, list[str]]) -> PersonRef:
    payload = {"person": call.path["person"], **change}
    response = checked_response(functions().invoke(settings().enrol_function, payload))
    return PersonRef(id=response["person"], tags=tuple(response["tags"]))


TAG_OPERATIONS = (
    Operation(
        "PUT",
        "/v1/people/{person}/watch",
        name="watch-person",
        summary="Onto the watch list",
        handler=watch_person,
        role="operator",
        response_model=PersonRef,
        audited=True,
        problems=(NotFound,),
    ),
    Operation(
        "DELETE",
        "/v1/people/{person}/watch",
        name="unwatch-person",
        summary="Off the watch list",
        handler=unwatch_person,
        role="operator",
        response_model=PersonRef,
        audited=True,
        problems=(NotFound,),
    ),
    Operation(
        "PUT",
        "/v1/people/{person}/consent",
        name="consent-to-learning",
        summary="Models may learn from them",
        handler=consent_to_learning,
        role="operator",
        response_model=PersonRef,
        audited=True,
        problems=(NotFound,),
    ),
    Operation(
        "DELETE",
        "/v1/people/{person}/consent",
        name="withdraw-consent",
        summary="Models may no longer learn from them",
        handler=withdraw_consent,
        role="operator",
        response_model=PersonRef,
        audited=True,
        problems=(NotFound,),
    ),
)
