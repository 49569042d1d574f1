"""The people table: templates, and the pointers to the galleries in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from cloud.dynamodb.attributes import Item, to_item
from cloud.dynamodb.collections import DynamoUsers
from cloud.dynamodb.pointers import read_gallery_pointer
from cloud.dynamodb.profiles import (
    list_profiles,
    name_item,
    name_key,
    person_from_row,
    profile_item,
    unless_changed,
)
from cloud.dynamodb.queries import Table
from cloud.dynamodb.schema import GALLERY_POINTER, MOVED_FACE, TEMPLATE, person_key
from cloud.dynamodb.users import (
    association_writes,
    disassociation_writes,
    moved_face_delete,
    template_key,
    user_delete,
    user_faces_writes,
    user_of_person_delete,
)
from vigil.errors import ConcurrentUpdate
from vigil.inference.types import FaceOrigin, ReferenceImage
from vigil.people.consent import TRAINING_CONSENT_TAG
from vigil.people.face_records import FaceKey, FaceRecord, parse_face_id
from vigil.people.person import GalleryPointer, Person, PersonChange, User

if TYPE_CHECKING:  # the API reads profiles without numpy
    import numpy as np
    from numpy.typing import NDArray

    from vigil.faces.enrolment_check import Template
    from vigil.faces.gallery import GallerySet
    from vigil.people.indexing import EnrolledFace, RemovedFaces
    from vigil.people.reembedding import StoredPhoto
    from vigil.people.users import Association


FACE_ATTRIBUTES = "pk, sk, face_origin, quality, enrolled_at, user_id, earlier_id"
"""What a FaceRecord is made of."""

PAGE_SIZE = 1000
"""Profiles that are read at once."""


class DynamoPeople:
    """Port of enrolment and erasure: a change of people and of their gallery is one transaction.

    store_gallery  stores the changed segments of a gallery; returns the keys of all by embedding space
    """

    def __init__(
        self, client: Any, table: str, *, store_gallery: Callable[[GallerySet], Mapping[str, Sequence[str]]]
    ) -> None:
        self._rows, self._store_gallery = Table(client, table, "people"), store_gallery
        self.users = DynamoUsers(self._rows)

    def find_by_name(self, name: str, gallery: str) -> Person | None:
        row = self._read_row(name_key(name, gallery))
        return self.find_person(row["person"]) if row is not None else None

    def is_name_taken(self, name: str, gallery: str) -> bool:
        """Whether somebody in the gallery has the name, or had it and is being erased."""
        return self._read_row(name_key(name, gallery)) is not None

    def find_person(self, person_id: str) -> Person | None:
        """The person of this id; None if there is none or their erasure has begun."""
        profile = self._read_row(person_key(person_id))
        return person_from_row(profile) if profile and "erasure_began_at" not in profile else None

    def begin_erasure(self, person_id: str, now: datetime) -> Person | None:
        """Mark the profile, so that all other changes fail from now on; None if there is no profile."""
        profile = self._rows.update_if(
            person_key(person_id),
            "mark erasure",
            UpdateExpression="SET erasure_began_at = :now",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues=to_item({":now": now}),
            ReturnValues="ALL_NEW",
        )
        return person_from_row(profile) if profile is not None else None

    def commit(
        self,
        change: PersonChange,
        templates: Sequence[Template],
        *,
        base: int,
        gallery: GallerySet,
        now: datetime,
    ) -> None:
        person = change.after
        writes = [
            *self._profile_writes(change, now),
            *(
                self._rows.put_write(
                    TEMPLATE.key(person=person.id, version=gallery.version, number=number)
                    | _template_attributes(template, now)
                )
                for number, template in enumerate(templates)
            ),
            self._pointer_update(base, gallery, now, remove="deleted_at"),
        ]
        self._transact("enrol", writes)

    def gallery_names(self) -> list[str]:
        """The names of the galleries that somebody was ever enrolled in, sorted."""
        pointers = self._rows.partition(
            GALLERY_POINTER.partition(), "list galleries", ProjectionExpression="sk"
        )
        return [row["sk"] for row in pointers]

    def gallery_pointer(self, name: str) -> GalleryPointer:
        return read_gallery_pointer(self._rows, name)

    def replace_gallery(self, *, base: int, gallery: GallerySet, now: datetime) -> None:
        """Replace version `base` of a gallery. Raises ConcurrentUpdate."""
        self._transact("put gallery in force", [self._pointer_update(base, gallery, now)])

    def people_in(self, gallery: str) -> Iterator[str]:
        """The ids of the people in a gallery whose erasure has not begun, from an index that may be late."""
        views = list_profiles(self._rows, after="", page_size=PAGE_SIZE)
        return (
            view.person.id for view in views if view.person.gallery == gallery and not view.is_being_erased
        )

    def delete_gallery(self, *, base: int, gallery: GallerySet, now: datetime) -> None:
        """Mark version `base` of a gallery as deleted, with nothing in force. Raises ConcurrentUpdate."""
        self.users.delete_all(gallery.name)
        update = self._pointer_update(base, gallery, now, assign="deleted_at = :at", remove="tags")
        self._transact("delete gallery", [update])

    def remove_templates(self, removal: RemovedFaces, now: datetime) -> None:
        """Delete templates and replace the gallery. Raises ConcurrentUpdate."""
        writes = [self._pointer_update(removal.base, removal.gallery, now)]
        for face in removal.faces:
            writes += [
                self._rows.delete_write(template_key(face.key)),
                *moved_face_delete(self._rows, face.earlier_id),
            ]
        if removal.user is not None:
            writes += user_faces_writes(self._rows, removal.user, is_last=removal.is_last)
        self._transact("remove faces", writes)

    def find_user(self, gallery: str, user: str) -> User | None:
        return self.users.find(gallery, user)

    def associate(self, association: Association, now: datetime) -> None:
        """Make faces a user's, and replace the gallery if some of them move. Raises ConcurrentUpdate."""
        writes = list(association_writes(self._rows, association, now))
        if association.moves:
            gallery = association.gallery
            writes.append(self._pointer_update(association.base.version, gallery, now))
        self._transact("associate faces", writes)

    def disassociate(self, user: User, faces: Sequence[FaceKey], *, is_last: bool) -> None:
        """Faces are no user's; with the last one, nobody is the user. Raises ConcurrentUpdate."""
        self._transact(
            "disassociate faces", [*disassociation_writes(self._rows, user, faces, is_last=is_last)]
        )

    def delete_user(self, user: User) -> None:
        """Delete a user without faces. Raises ConcurrentUpdate."""
        self._transact("delete user", [user_delete(self._rows, user)])

    def withdraw_consent(self, person_id: str) -> None:
        """Remove the tag of consent to training; nothing happens if the person does not have it."""
        self._rows.update(
            person_key(person_id),
            "withdraw consent",
            UpdateExpression="DELETE tags :consent",
            ExpressionAttributeValues=to_item({":consent": {TRAINING_CONSENT_TAG}}),
        )

    def delete_templates(self, person: Person) -> int:
        """Delete the templates, the name and the user; returns the number of templates."""
        faces = list(_template_rows(self._rows, person.id, "pk, sk, earlier_id"))
        if person.user is not None:
            self._rows.transact([user_of_person_delete(self._rows, person)], "delete user")
        for face in faces:
            earlier_id, key = face.pop("earlier_id", None), to_item(face)
            deletes = [*moved_face_delete(self._rows, earlier_id), self._rows.delete_write(key)]
            self._rows.transact(deletes, "delete template")
        self._rows.delete(name_key(person.name, person.gallery), "delete name")
        return len(faces)

    def delete_profile(self, person_id: str) -> None:
        self._rows.delete(person_key(person_id), "delete profile")

    def _profile_writes(self, change: PersonChange, now: datetime) -> list[Item]:
        """Put the profile if it has not changed since it was read; of a new person, also put the name."""
        profile = profile_item(change.after, now)
        if change.before is not None:
            return [self._rows.put_write(profile, **unless_changed(change.before))]
        return [self._rows.put_new_write(profile), self._rows.put_new_write(name_item(change.after))]

    def _read_row(self, key: Item) -> dict[str, Any] | None:
        return self._rows.get(key, "read person")

    def _transact(self, operation: str, writes: list[Item]) -> None:
        if self._rows.transact(writes, operation):
            raise ConcurrentUpdate("another change to the gallery came first")

    def _pointer_update(
        self, base: int, gallery: GallerySet, now: datetime, *, assign: str = "", remove: str = ""
    ) -> Item:
        """Store the segments, and return the write that makes them the gallery in use.

        assign, remove  what else changes in the row
        """
        values = {
            ":base": base,
            ":version": gallery.version,
            ":keys": self._store_gallery(gallery),
            ":incomplete": sorted(gallery.incomplete_spaces),
            ":at": now,
        }
        changes = "SET #version = :version, #keys = :keys, incomplete_spaces = :incomplete, #at = :at"
        return self._rows.update_write(
            GALLERY_POINTER.key(gallery=gallery.name),
            UpdateExpression=f"{changes}{assign and f', {assign}'}{remove and f' REMOVE {remove}'}",
            ConditionExpression="attribute_not_exists(pk) OR #version = :base",
            ExpressionAttributeNames={"#version": "version", "#keys": "keys", "#at": "at"},
            ExpressionAttributeValues=to_item(values),
        )


def _template_attributes(template: Template, now: datetime) -> Item:
    reference = template.reference_image
    return to_item(
        {
            "vectors": {space: vector.tobytes() for space, vector in template.vectors.items()},
            "quality": template.quality,
            "enrolled_at": now,
            "reference_image": reference.data if reference else None,
            "reference_box_px": reference.box_px if reference else None,
            "face_origin": msgspec.to_builtins(template.origin),
        }
    )


class DynamoTemplates:
    """The templates of each person: a vector for each embedding space, and the reference image."""

    def __init__(self, client: Any, table: str) -> None:
        self._rows = Table(client, table, "people")

    def vectors(self, person: str) -> dict[str, NDArray[np.float32]]:
        """The vectors of all photos by embedding space: (n, D) float32, unit rows."""
        import numpy as np  # noqa: PLC0415 - the API reads profiles without numpy

        found: dict[str, list[NDArray[np.float32]]] = {}
        for row in _template_rows(self._rows, person, "vectors"):
            for space, vector in _vectors_from_row(row).items():
                found.setdefault(space, []).append(vector)
        return {space: np.stack(rows) for space, rows in found.items()}

    def face_records(self, person: str) -> Iterator[FaceRecord]:
        """The person's faces without their vectors."""
        return map(_face_record, _template_rows(self._rows, person, FACE_ATTRIBUTES))

    def find_keys(self, face_ids: Sequence[str]) -> dict[str, FaceKey]:
        """Where the faces of these ids are stored, if they are; ids of another form are left out."""
        keys = {one: key for one in face_ids if (key := parse_face_id(one)) is not None}
        rows = self._rows.batch_get([MOVED_FACE.key(face=one) for one in keys], "find faces")
        moved = {
            row["pk"].removeprefix("moved_face#"): FaceKey(row["person"], row["version"], row["number"])
            for row in rows
        }
        return keys | moved

    def enrolled_faces(self, person: str) -> Iterator[EnrolledFace]:
        from vigil.people.indexing import EnrolledFace  # noqa: PLC0415 - it imports numpy

        for row in _template_rows(self._rows, person, f"{FACE_ATTRIBUTES}, vectors"):
            yield EnrolledFace(_face_record(row), _vectors_from_row(row))

    def photos_of(self, person: str) -> Iterator[StoredPhoto]:
        from vigil.people.reembedding import StoredPhoto  # noqa: PLC0415 - it imports numpy

        for row in _template_rows(self._rows, person, "sk, vectors, reference_image, reference_box_px"):
            box = row.get("reference_box_px")
            yield StoredPhoto(
                row["sk"],
                _vectors_from_row(row),
                ReferenceImage(row["reference_image"], tuple(box)) if box else None,
            )

    def add_vector(self, person: str, key: str, space: str, vector: NDArray[np.float32]) -> None:
        values = to_item({":vector": vector.tobytes()})
        self._update_vectors(person, key, "SET vectors.#space = :vector", space, values)

    def delete_vectors(self, person: str, space: str) -> None:
        """Delete the vectors of an embedding space that is out of use."""
        for row in list(_template_rows(self._rows, person, "sk, vectors")):
            if space in row["vectors"]:
                self._update_vectors(person, row["sk"], "REMOVE vectors.#space", space, {})

    def _update_vectors(self, person: str, key: str, expression: str, space: str, values: Item) -> None:
        """Nothing happens if the template has been deleted meanwhile."""
        self._rows.update_if(
            to_item({"pk": TEMPLATE.partition(person=person), "sk": key}),
            "update template",
            UpdateExpression=expression,
            ConditionExpression="attribute_exists(vectors)",
            ExpressionAttributeNames={"#space": space},
            **({"ExpressionAttributeValues": values} if values else {}),
        )


def _face_record(row: dict[str, Any]) -> FaceRecord:
    version, number = row["sk"].removeprefix("template#").split("-")
    key = FaceKey(row["pk"].removeprefix("person#"), int(version), int(number))
    return FaceRecord(
        key,
        msgspec.convert(row.get("face_origin"), FaceOrigin | None),
        row["quality"],
        datetime.fromisoformat(row["enrolled_at"]),
        row.get("user_id"),
        row.get("earlier_id"),
    )


def _template_rows(rows: Table, person: str, projection: str) -> Iterator[dict[str, Any]]:
    return rows.partition(
        TEMPLATE.partition(person=person),
        "read templates",
        sk_prefix="template#",
        ProjectionExpression=projection,
    )


def _vectors_from_row(row: dict[str, Any]) -> dict[str, NDArray[np.float32]]:
    import numpy as np  # noqa: PLC0415 - the API reads profiles without numpy

    return {space: np.frombuffer(vector, np.float32) for space, vector in row["vectors"].items()}
