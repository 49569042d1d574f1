"""Removes a person from the records and callers tables, drop by drop, and records how far the erasure is.

The row ERASURE exists from the beginning of an erasure. Every transaction that would write the person's id
has the condition that it does not exist, so a result that is computed with an older gallery is refused. The
row ERASURE_PROGRESS names the person; it exists until the erasure is complete.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from cloud.dynamodb.attributes import Item, to_item
from cloud.dynamodb.queries import Cursor, Table
from cloud.dynamodb.schema import ERASURE, ERASURE_PROGRESS, drop_key, erasure_key
from vigil.drops.messages import S3Object, parse_frame_key
from vigil.errors import ConcurrentUpdate
from vigil.people.person import (
    ERASED_KINDS,
    DropReferences,
    ErasureProgress,
    ErasureReceipt,
    ErasureStep,
    Person,
)

ERASED_LABEL = "erased"
"""Replaces the person's id in sightings and alerts."""

ROWS_PER_PAGE = 25
"""Rows of a person that are read before the cursor is stored."""

HOLD = timedelta(seconds=30)
"""How long after its last step a run of an erasure is taken to be at work."""


class DynamoPersonData:
    """Finds rows of a person through the index `subject`; a row leaves the index when the id is removed."""

    def __init__(self, client: Any, records: str, callers: str) -> None:
        self._records, self._callers = Table(client, records), Table(client, callers, "callers")

    def mark_being_erased(self, person: str, now: datetime) -> None:
        """From now on, for a day, no transaction can write the person's id."""
        self._records.update(
            erasure_key(person),
            "mark erasure",
            UpdateExpression="SET #expires = :expires",
            ExpressionAttributeNames={"#expires": "expires"},
            ExpressionAttributeValues=to_item({":expires": ERASURE.expires(now)}),
        )

    def save_receipt(self, erased: ErasureReceipt) -> None:
        receipt = {
            "at": erased.erased_at,
            "version": erased.gallery_version,
            "counts": erased.counts,
            "unreadable": erased.unreadable_datasets,
        }
        self._records.update(
            erasure_key(erased.person),
            "save receipt",
            UpdateExpression="SET receipt = :receipt",
            ExpressionAttributeValues=to_item({":receipt": receipt}),
        )

    def find_receipt(self, person: str) -> ErasureReceipt | None:
        row = self._records.get(erasure_key(person), "read receipt")
        if row is None or "receipt" not in row:
            return None
        receipt = row["receipt"]
        return ErasureReceipt(
            person,
            datetime.fromisoformat(receipt["at"]),
            receipt["version"],
            receipt["counts"],
            tuple(receipt["unreadable"]),
        )

    def begin_progress(self, person: str, now: datetime) -> ErasureProgress:
        """The stored progress of an erasure, or a new one."""
        new = {
            "person": person,
            "began_at": now,
            "step": "galleries",
            "counts": dict.fromkeys(ERASED_KINDS, 0),
            "cursor": {},
            "gallery_version": 0,
            "unreadable_datasets": [],
            "held_until": (now + HOLD).timestamp(),
        }
        self._records.put_new(_progress_key(person) | to_item(new), "begin erasure")
        progress = self.find_progress(person)
        if progress is None:
            raise ConcurrentUpdate("another run completed the erasure")
        return progress

    def find_progress(self, person: str) -> ErasureProgress | None:
        row = self._records.get(_progress_key(person), "read erasure")
        return _progress(row) if row is not None else None

    def unfinished_erasures(self, now: datetime) -> Sequence[ErasureProgress]:
        """The erasures that are not complete and that no other run is at work on, the oldest first."""
        rows = self._records.partition(ERASURE_PROGRESS.partition(), "list erasures")
        free = [row for row in rows if row["held_until"] <= now.timestamp()]
        return sorted(map(_progress, free), key=lambda one: one.began_at)

    def advance(
        self,
        progress: ErasureProgress,
        *,
        step: ErasureStep,
        cursor: Cursor,
        counts: Mapping[str, int],
        now: datetime,
    ) -> ErasureProgress:
        """Store what was done and where to continue. Raises ConcurrentUpdate if the erasure is complete."""
        update = _count_update(
            counts,
            now,
            step=step,
            cursor=dict(cursor),
            gallery_version=progress.gallery_version,
            unreadable_datasets=progress.unreadable_datasets,
        )
        key = _progress_key(progress.person)
        row = self._records.update_if(key, "save erasure", **update, ReturnValues="ALL_NEW")
        if row is None:
            raise ConcurrentUpdate("another run completed the erasure")
        return _progress(row)

    def delete_progress(self, person: str) -> None:
        self._records.delete(_progress_key(person), "complete erasure")

    def references(self, person: str, cursor: Cursor) -> tuple[Sequence[DropReferences], Cursor]:
        """The drops of one page of rows about the person, and the cursor of the next page."""
        rows, following = self._records.query_page(
            "find rows of person",
            cursor,
            IndexName="subject",
            KeyConditionExpression="subject = :person",
            ExpressionAttributeValues=to_item({":person": person}),
            Limit=ROWS_PER_PAGE,
        )
        drops: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            drops.setdefault(row.get("drop_id", row["pk"]), []).append(row)
        photos = self._objects_of(row["drop_id"] for row in rows if row.get("drop_id"))
        frames = filter(None, (parse_frame_key(photo.key) for photo in photos.values()))
        clips = self._objects_of(frame.clip for frame in frames)
        return [_drop_references(one, photos, clips) for one in drops.values()], following

    def remove_references(self, person: str, found: DropReferences, now: datetime) -> None:
        """Remove the person from all rows of one drop, and count that, in one transaction.

        The drop loses the key of its photo, which the caller has deleted and whose key may contain a name; so
        does the clip of a frame.
        Rows that were changed before are left alone, so that a repetition counts nothing twice. Raises
        ConcurrentUpdate.
        """
        keys = [to_item({"pk": pk, "sk": sk}) for pk, sk in found.keys]
        rows = [row for row in self._records.batch_get(keys, "read rows") if row.get("subject") == person]
        if not rows:
            return
        photos = (found.photo is not None) + (found.clip is not None)
        counts: dict[str, int] = {"photos": photos} if photos else {}
        for row in rows:
            kind = f"{_kind(row)}s"
            counts[kind] = counts.get(kind, 0) + 1
        writes = [self._removal(row, person) for row in rows]
        writes.append(self._records.update_write(_progress_key(person), **_count_update(counts, now)))
        if found.photo and found.drop:
            writes.append(self._location_removal(found.drop))
        if found.clip is not None:
            writes.append(self._location_removal(found.clip[0]))
        if self._records.transact(writes, "remove person"):
            raise ConcurrentUpdate("rows of the person have changed since they were read")

    def delete_cached_answers(self, person: Person, cursor: Cursor) -> tuple[int, Cursor]:
        """Delete the stored API answers of one page that contain the person's id or that of their user.

        Returns how many, and the next cursor.
        """
        names = {":person": person.id} | ({":user": _in_answer(person.user)} if person.user else {})
        rows, following = self._callers.scan_page(
            "scan callers",
            cursor,
            FilterExpression=" OR ".join(f"contains(#data, {one})" for one in names),
            ExpressionAttributeNames={"#data": "data"},
            ExpressionAttributeValues=to_item(names),
        )
        for row in rows:
            self._callers.delete(to_item({"id": row["id"]}), "delete answer")
        return len(rows), following

    def _objects_of(self, drops: Iterable[str]) -> dict[str, S3Object]:
        """The objects of those drops that are stored and have one, by drop."""
        rows = self._records.batch_get([drop_key(one) for one in sorted(set(drops))], "read drops")
        return {row["drop_id"]: S3Object(**row["s3_object"]) for row in rows if row.get("s3_object")}

    def _removal(self, row: Mapping[str, Any], person: str) -> Item:
        changes = {
            "sighting": "SET label = :erased REMOVE subject, tags, score",
            "alert": "SET subject_id = :erased REMOVE subject",
        }
        key = to_item({"pk": row["pk"], "sk": row["sk"]})
        values: dict[str, Any] = {":person": person}
        if _kind(row) not in changes:
            return self._records.delete_write(
                key, ConditionExpression="subject = :person", ExpressionAttributeValues=to_item(values)
            )
        return self._records.update_write(
            key,
            UpdateExpression=changes[_kind(row)],
            ConditionExpression="subject = :person",
            ExpressionAttributeValues=to_item(values | {":erased": ERASED_LABEL}),
        )

    def _location_removal(self, drop: str) -> Item:
        return self._records.update_write(
            drop_key(drop),
            UpdateExpression="REMOVE s3_object, #object",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeNames={"#object": "object"},
        )


def _drop_references(
    rows: Sequence[Mapping[str, Any]], photos: Mapping[str, S3Object], clips: dict[str, S3Object]
) -> DropReferences:
    """A clip is taken out of `clips` with the first of its frames: it is deleted and counted once."""
    keys = tuple((str(row["pk"]), str(row["sk"])) for row in rows)
    drop = rows[0].get("drop_id")
    photo = photos.get(drop) if drop else None
    frame = parse_frame_key(photo.key) if photo is not None else None
    clip = clips.pop(frame.clip, None) if frame is not None else None
    return DropReferences(keys, drop, photo, (frame.clip, clip) if frame and clip else None)


def _in_answer(user: str) -> str:
    """A user's id as a stored answer contains it: a JSON text in JSON."""
    return json.dumps(json.dumps(user))[1:-1]


def _progress_key(person: str) -> Item:
    return ERASURE_PROGRESS.key(person=person)


def _kind(row: Mapping[str, Any]) -> str:
    return str(row["sk"]).split("#", maxsplit=1)[0]


def _count_update(counts: Mapping[str, int], now: datetime, **assigned: Any) -> dict[str, Any]:
    """Add to the counts of a progress that exists, and assign other attributes."""
    names = {"#counts": "counts", "#held": "held_until"}
    values: dict[str, Any] = {":held": (now + HOLD).timestamp()}
    assignments = ["#held = :held"]
    for name, value in assigned.items():
        names[f"#{name}"], values[f":{name}"] = name, value
        assignments.append(f"#{name} = :{name}")
    for kind, count in counts.items():
        names[f"#count_{kind}"], values[f":count_{kind}"] = kind, count
        assignments.append(f"#counts.#count_{kind} = #counts.#count_{kind} + :count_{kind}")
    if not counts:
        del names["#counts"]
    return {
        "UpdateExpression": f"SET {', '.join(assignments)}",
        "ConditionExpression": "attribute_exists(pk)",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": to_item(values),
    }


def _progress(row: Mapping[str, Any]) -> ErasureProgress:
    return msgspec.convert(row, ErasureProgress)
