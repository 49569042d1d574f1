"""The writes of transactions that change which faces are a user's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from cloud.dynamodb.attributes import Item, to_item
from cloud.dynamodb.profiles import name_item, profile_item
from cloud.dynamodb.queries import Table
from cloud.dynamodb.schema import MOVED_FACE, TEMPLATE, USER, person_key
from vigil.errors import ConcurrentUpdate
from vigil.people.face_records import FaceKey
from vigil.people.person import Person, User

if TYPE_CHECKING:  # the API reads users without numpy
    from vigil.people.users import Association, ForeignFace


def association_writes(rows: Table, association: Association, now: datetime) -> Iterator[Item]:
    """The writes that make faces a user's, besides the new galleries."""
    user, person = association.user, association.change.after
    yield user_write(rows, user, person=person.id)
    if association.change.before is None:
        yield rows.put_new_write(profile_item(person, now))
        yield rows.put_new_write(name_item(person))
    else:
        yield rows.update_write(
            person_key(person.id),
            UpdateExpression="SET user_id = :user",
            ConditionExpression="attribute_exists(pk) AND attribute_not_exists(erasure_began_at) "
            "AND (attribute_not_exists(user_id) OR user_id = :user)",
            ExpressionAttributeValues=to_item({":user": user.id}),
        )
    for face in association.own:
        yield rows.update_write(
            template_key(face.record.key),
            UpdateExpression="SET user_id = :user",
            ConditionExpression="attribute_exists(pk) AND attribute_not_exists(user_id)",
            ExpressionAttributeValues=to_item({":user": user.id}),
        )
    for move in association.moves:
        yield from _move_writes(rows, move, user.id)


def _move_writes(rows: Table, move: ForeignFace, user: str) -> Iterator[Item]:
    """The row of a face under its new person; another one leads there from the face's id."""
    record, key = move.face.record, move.key
    row = rows.get(template_key(record.key), "read face")
    if row is None:
        raise ConcurrentUpdate("a face was deleted meanwhile")
    attributes = {name: one for name, one in row.items() if name not in ("pk", "sk")}
    moved = attributes | {"user_id": user, "earlier_id": record.face_id}
    yield rows.delete_write(
        template_key(record.key),
        ConditionExpression="attribute_exists(pk) AND attribute_not_exists(user_id)",
    )
    yield rows.put_write(template_key(key) | to_item(moved))
    location = {"person": key.person, "version": key.version, "number": key.number}
    yield rows.put_write(MOVED_FACE.key(face=record.face_id) | to_item(location))


def disassociation_writes(
    rows: Table, user: User, faces: Sequence[FaceKey], *, is_last: bool
) -> Iterator[Item]:
    """The writes after which faces are no user's."""
    for key in faces:
        yield rows.update_write(
            template_key(key),
            UpdateExpression="REMOVE user_id",
            ConditionExpression="user_id = :user",
            ExpressionAttributeValues=to_item({":user": user.id}),
        )
    yield from user_faces_writes(rows, user, is_last=is_last)


def user_faces_writes(rows: Table, user: User, *, is_last: bool) -> Iterator[Item]:
    """The writes of a user who has fewer faces; without any, nobody is the user."""
    yield user_write(rows, user, person=None if is_last else user.person)
    if is_last and user.person:
        yield rows.update_write(
            person_key(user.person),
            UpdateExpression="REMOVE user_id",
            ConditionExpression="user_id = :user",
            ExpressionAttributeValues=to_item({":user": user.id}),
        )


def user_write(rows: Table, user: User, *, person: str | None) -> Item:
    """The user's row with this person, if nobody changed it since it was read."""
    values = {":before": user.revision, ":next": user.revision + 1, ":person": person}
    return rows.update_write(
        USER.key(gallery=user.gallery, user=user.id),
        UpdateExpression="SET revision = :next" + (", person = :person" if person else " REMOVE person"),
        ConditionExpression="revision = :before",
        ExpressionAttributeValues=to_item(values),
    )


def user_delete(rows: Table, user: User) -> Item:
    """The deletion of a user without faces."""
    return rows.delete_write(
        USER.key(gallery=user.gallery, user=user.id),
        ConditionExpression="revision = :before AND attribute_not_exists(person)",
        ExpressionAttributeValues=to_item({":before": user.revision}),
    )


def user_of_person_delete(rows: Table, person: Person) -> Item:
    """The deletion of the user that a person is; a user of the same id who is somebody else remains."""
    return rows.delete_write(
        USER.key(gallery=person.gallery, user=person.user),
        ConditionExpression="person = :person",
        ExpressionAttributeValues=to_item({":person": person.id}),
    )


def moved_face_delete(rows: Table, earlier_id: str | None) -> Iterator[Item]:
    """The deletion of what leads to a face that moved."""
    if earlier_id:
        yield rows.delete_write(MOVED_FACE.key(face=earlier_id))


def template_key(key: FaceKey) -> Item:
    return TEMPLATE.key(person=key.person, version=key.version, number=key.number)
