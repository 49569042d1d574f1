"""People: enrolment, names, tags and erasure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from cloud.dynamodb.profiles import NameTaken, PersonView
from functions.api.media import IMAGE_BODY_TYPES, read_image
from functions.api.operation import Call, operation
from functions.api.pagination import next_cursor, start_position
from functions.api.problems import Conflict, Forbidden, NameConflict, NotFound, UnprocessableContent
from functions.api.scheduled import SCHEDULED_EVENT
from functions.api.schemas.people import (
    EnrolledPhoto,
    ErasureOut,
    NewName,
    NewPerson,
    PeopleQuery,
    PersonList,
    PersonOut,
    PersonPhotoList,
    PersonPhotoOut,
    PersonRef,
    PhotoUpload,
)
from functions.runtime.container import container
from functions.runtime.receipts import erasure_json
from vigil.errors import ConcurrentUpdate
from vigil.people.consent import TRAINING_CONSENT_TAG, is_person_id
from vigil.people.face_records import parse_face_id
from vigil.people.person import Person, name_identity, new_person_id

WATCH_TAG = "watch"
REVIEW_TAG = "review"


@operation(
    "POST",
    "/v1/people",
    role="operator",
    bound_tokens="gallery",
    status=201,
    audited=True,
    example={"name": "Ada Lovelace", "tags": ["staff"]},
    problems=(NameConflict,),
)
def create_person(call: Call, new: NewPerson) -> PersonRef:
    """Create a person in a gallery.

    The person has no template yet; enrol photos afterwards.
    """
    if not call.caller.can_access_gallery(new.gallery):
        raise Forbidden(f"the token cannot access the gallery {new.gallery}")
    person = Person(new_person_id(), new.name, frozenset(new.tags), new.gallery)
    try:
        container().profiles.create(person, datetime.now(UTC))
    except NameTaken as error:
        raise NameConflict(f"{new.name} is a name in the gallery {new.gallery}") from error
    return PersonRef(id=person.id, tags=tuple(sorted(person.tags)))


@operation("GET", "/v1/people", role="reviewer", bound_tokens="gallery", audited=True, example={"limit": 10})
def list_people(call: Call, query: PeopleQuery) -> PersonList:
    """List people, in the order of their ids."""
    views = container().profiles.list_page(
        after=start_position(call, query, "people"), page_size=query.limit + 1
    )
    matching = (view for view in views if _is_listed(call, query, view.person))
    selected = list(islice(matching, query.limit + 1))
    items = [_to_person(one) for one in selected[: query.limit]]
    following = next_cursor(call, query, "people", items[-1].id) if len(selected) > query.limit else None
    return PersonList(items=items, next=following)


def _is_listed(call: Call, query: PeopleQuery, person: Person) -> bool:
    return (
        call.caller.can_access_gallery(person.gallery)
        and query.gallery in (None, person.gallery)
        and (query.tag is None or query.tag in person.tags)
        and (query.name is None or name_identity(query.name) in name_identity(person.name))
    )


@operation("GET", "/v1/people/{person}", role="reviewer", bound_tokens="gallery", audited=True)
def get_person(call: Call) -> PersonOut:
    """Get a person."""
    person = _to_person(_find_person(call))
    return person.model_copy(update={"photos": sum(1 for _ in container().templates.face_records(person.id))})


@operation(
    "PATCH",
    "/v1/people/{person}",
    role="operator",
    bound_tokens="gallery",
    audited=True,
    example={"name": "Ada King"},
    problems=(NameConflict,),
)
def rename_person(call: Call, new: NewName) -> PersonRef:
    """Rename a person."""
    person = _find_person(call).person
    try:
        container().profiles.rename(person, new.name, datetime.now(UTC))
    except NameTaken as error:
        raise NameConflict(f"{new.name} is a name in the gallery {person.gallery}") from error
    except ConcurrentUpdate as error:
        raise Conflict("another request changed the person") from error
    return PersonRef(id=person.id)


@operation(
    "POST",
    "/v1/people/{person}/photos",
    role="operator",
    bound_tokens="gallery",
    status=201,
    body_types=IMAGE_BODY_TYPES,
    audited=True,
)
def enrol_photo(call: Call, photo: PhotoUpload | None = None) -> EnrolledPhoto:
    """Enrol a photo of a person.

    The photo must show this person's face alone. The answer to a rejected photo contains the reason, the face
    boxes, and for `already-enrolled` the id and name of the person whose face it is.
    """
    _find_person(call)
    data = read_image(call, photo.image if photo else None)
    person = call.path["person"]
    uploaded = container().store.save_pending_photo(person, data)
    payload = {"person": person, "photos": [{"key": uploaded.key, "version": uploaded.version}]}
    response = _invoke(container().settings.enrol_function, payload)
    for rejection in response["rejected"]:
        details = {name: rejection[name] for name in ("boxes_px", "person") if name in rejection}
        names = find_names(call, [rejection.get("person")])
        details |= {"name": next(iter(names.values()))} if names else {}
        raise UnprocessableContent(rejection["message"], reason=rejection["reason"], **details)
    return EnrolledPhoto(person=response["person"], gallery_version=response["gallery_version"])


@operation("GET", "/v1/people/{person}/photos", role="reviewer", bound_tokens="gallery", audited=True)
def list_person_photos(call: Call) -> PersonPhotoList:
    """List the enrolled photos of a person, newest first."""
    records = container().templates.face_records(_find_person(call).person.id)
    items = (
        PersonPhotoOut(
            id=one.key.face_id,
            enrolled_at=one.enrolled_at,
            quality=one.quality,
            external_id=one.origin.external_image_id if one.origin else None,
        )
        for one in records
    )
    return PersonPhotoList(items=tuple(sorted(items, key=lambda one: one.enrolled_at, reverse=True)))


@operation(
    "DELETE",
    "/v1/people/{person}/photos/{photo}",
    role="operator",
    bound_tokens="gallery",
    status=204,
    audited=True,
)
def delete_person_photo(call: Call) -> None:
    """Delete an enrolled photo of a person.

    Faces are no longer compared with it. A person without a photo remains, but is not recognised.
    """
    person, photo = _find_person(call).person, call.path["photo"]
    key = parse_face_id(photo)
    if key is None or key.person != person.id:
        raise NotFound
    request = {"gallery": person.gallery, "face_ids": [photo]}
    if not _invoke(container().settings.enrol_function, {"delete_faces": request})["deleted"]:
        raise NotFound


@operation("DELETE", "/v1/people/{person}", role="admin", bound_tokens="gallery", audited=True)
def erase_person(call: Call) -> ErasureOut:
    """Erase a person.

    Deletes everything that is stored about the person and returns a signed receipt. What takes longer than a
    call is `running` and continues in the background.
    """
    if call.caller.is_bound or call.caller.galleries is not None:
        _find_person(call)
    payload = {**SCHEDULED_EVENT, "detail": {"person": call.path["person"]}}
    return ErasureOut(**_invoke(container().settings.erase_function, payload))


@operation("GET", "/v1/people/{person}/erasure", role="admin", bound_tokens="gallery", audited=True)
def get_erasure(call: Call) -> ErasureOut:
    """Get how far the erasure of a person is.

    The receipt can be read for a day after the end.
    """
    person = call.path["person"]
    if call.caller.is_bound or call.caller.galleries is not None:
        _find_person(call)
    erasure = container().person_data.find_receipt(person) or container().person_data.find_progress(person)
    if erasure is None:
        raise NotFound
    return ErasureOut(**erasure_json(erasure, container().mac))


def _invoke(function: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The response of a Lambda function. Raises NotFound, UnprocessableContent if it is an error."""
    response = container().lambda_functions.invoke(function, payload)
    if "error" not in response:
        return response
    if response["error"]["reason"] == "person-not-found":
        raise NotFound
    raise UnprocessableContent(response["error"]["message"], reason=response["error"]["reason"])


def find_names(call: Call, subjects: Iterable[str | None]) -> Mapping[str, str]:
    """Name by id of the people among the subjects whom the caller may read; one read for all."""
    ids = {one for one in subjects if one is not None and is_person_id(one)}
    if not ids or not call.caller.has_role("reviewer"):
        return {}
    people = container().profiles.find_all(sorted(ids))
    return {one.id: one.name for one in people if call.caller.can_access_gallery(one.gallery)}


def _find_person(call: Call) -> PersonView:
    """Raises NotFound, also if the caller cannot access the person's gallery."""
    view = container().profiles.find(call.path["person"])
    if view is None or not call.caller.can_access_gallery(view.person.gallery):
        raise NotFound
    return view


def _to_person(view: PersonView) -> PersonOut:
    person = view.person
    return PersonOut(
        id=person.id,
        name=person.name,
        gallery=person.gallery,
        tags=tuple(sorted(person.tags)),
        watched=WATCH_TAG in person.tags,
        training_consent=TRAINING_CONSENT_TAG in person.tags,
        changed_at=view.changed_at,
    )


@operation("PUT", "/v1/people/{person}/watch", role="operator", bound_tokens="gallery", audited=True)
def watch_person(call: Call) -> PersonRef:
    """Add a person to the watch list.

    Sightings of people on the watch list raise alerts.
    """
    return _change_tags(call, {"add": [WATCH_TAG]})


@operation("DELETE", "/v1/people/{person}/watch", role="operator", bound_tokens="gallery", audited=True)
def unwatch_person(call: Call) -> PersonRef:
    """Remove a person from the watch list."""
    return _change_tags(call, {"remove": [WATCH_TAG]})


@operation("DELETE", "/v1/people/{person}/review", role="operator", bound_tokens="gallery", audited=True)
def end_person_review(call: Call) -> PersonRef:
    """Remove the tag `review` from a person.

    An enrolment sets it if the person's photos differ so much that they may show two people; remove it after
    somebody has checked that they do not. The next enrolment compares the photos again.
    """
    return _change_tags(call, {"remove": [REVIEW_TAG]})


@operation("PUT", "/v1/people/{person}/consent", role="operator", bound_tokens="gallery", audited=True)
def give_consent(call: Call) -> PersonRef:
    """Record a person's consent to training.

    Pictures of the person may then be used for training, from sources whose rules allow it.
    """
    return _change_tags(call, {"add": [TRAINING_CONSENT_TAG]})


@operation("DELETE", "/v1/people/{person}/consent", role="operator", bound_tokens="gallery", audited=True)
def withdraw_consent(call: Call) -> PersonRef:
    """Withdraw a person's consent to training.

    Pictures of the person are deleted from stored datasets within an hour.
    """
    return _change_tags(call, {"remove": [TRAINING_CONSENT_TAG]})


def _change_tags(call: Call, change: dict[str, list[str]]) -> PersonRef:
    _find_person(call)
    payload = {"person": call.path["person"], **change}
    response = _invoke(container().settings.enrol_function, payload)
    return PersonRef(id=response["person"], tags=tuple(response["tags"]))
