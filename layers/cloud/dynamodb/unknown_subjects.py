"""The faces of people who are not enrolled, in a table of their own without a stream and without backups.

A subject of a time window has one row, which is written when the subject is new; the faces that are stored
with the sightings of a drop have one row together, spread by day and shard.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud.dynamodb.attributes import Item, to_item
from cloud.dynamodb.queries import Cursor, Table, merge_lists
from cloud.dynamodb.schema import (
    FACE_SHARDS,
    STORED_FACES,
    SUBJECT_REVISION,
    UNKNOWN_SUBJECT,
    shard_of,
)
from vigil.alerts.unknown_subjects import StoredFace, UnknownSubjects, no_subjects
from vigil.drops.messages import Drop
from vigil.errors import ConcurrentUpdate
from vigil.inference.types import Sighting

Matrix = NDArray[np.float32]


def window_writes(faces: Table, subjects: UnknownSubjects, now: datetime) -> list[Item]:
    """The writes of a transaction that store the new subjects of a window; none if there are no new ones.

    The revision lets one of two writers through: one new person in two frames would become two subjects.
    """
    if not subjects.new_ids:
        return []
    where = {"source": subjects.source, "window": subjects.window}
    expires = UNKNOWN_SUBJECT.expires(now)
    revision = {"revision": subjects.revision + 1, "expires": expires}
    writes = [
        faces.put_write(
            SUBJECT_REVISION.key(**where) | to_item(revision),
            ConditionExpression="attribute_not_exists(pk) OR revision = :revision OR #expires <= :now",
            ExpressionAttributeNames={"#expires": "expires"},
            ExpressionAttributeValues=to_item({":revision": subjects.revision, ":now": now.timestamp()}),
        )
    ]
    for ident, vector in zip(subjects.ids, subjects.vectors, strict=True):
        if ident in subjects.new_ids:
            row = {
                "subject_id": ident,
                "vectors": _to_bytes(vector),
                "same_subject_threshold": subjects.same_subject_threshold,
                "expires": expires,
            }
            key = UNKNOWN_SUBJECT.key(**where, at=now.isoformat(), subject=ident)
            writes.append(faces.put_write(key | to_item(row)))
    return writes


def read_window(faces: Table, source: str, window: str) -> UnknownSubjects:
    """The newest unknown subjects of a window so far, read consistently."""
    limit = UnknownSubjects.MAX_SUBJECTS + 1
    pk = UNKNOWN_SUBJECT.partition(source=source, window=window)
    found = faces.partition(pk, "read unknown subjects", ScanIndexForward=False, Limit=limit)
    rows = list(islice(found, limit))
    revision = rows[0]["revision"] if rows and "revision" in rows[0] else 0
    subjects = [row for row in reversed(rows) if "subject_id" in row]
    if not subjects:
        return UnknownSubjects(source, window, revision, (), no_subjects(source, window).vectors)
    ids = tuple(row["subject_id"] for row in subjects)
    return UnknownSubjects(source, window, revision, ids, np.concatenate([*map(_matrix, subjects)]))


def stored_faces_writes(
    faces: Table, drop: Drop, sightings: Sequence[Sighting], now: datetime, expires: int
) -> list[Item]:
    """The write that stores the unknown faces of a drop; none if it has none."""
    found = [
        (number, one)
        for number, one in enumerate(sightings)
        if one.status == "unknown" and one.vector is not None
    ]
    if not found:
        return []
    _, first = found[0]
    row = {
        "drop_id": drop.id,
        "source": drop.source,
        "occurred_at": drop.occurred_at,
        "embedding_space": first.embedding_space,
        "same_subject_threshold": first.same_subject_threshold,
        "sighting_numbers": [number for number, _ in found],
        "vectors": b"".join(_to_bytes(one.vector) for _, one in found if one.vector is not None),
        "expires": expires,
    }
    day, shard = now.date().isoformat(), shard_of(drop.id, FACE_SHARDS)
    key = STORED_FACES.key(day=day, shard=shard, at=now.isoformat(), drop=drop.id)
    return [faces.put_write(key | to_item(row))]


class DynamoUnknownFaces:
    """Reads and deletes rows of faces; what walks over the whole table does so page by page, by a cursor."""

    def __init__(self, client: Any, table: str) -> None:
        self._rows = Table(client, table)

    def stored_faces(self, *, since: datetime, until: datetime) -> Iterator[StoredFace]:
        """The faces that were stored with sightings in this time, newest first."""
        day = until.date()
        while day >= since.date():
            lists = [
                self._rows.query(
                    "read stored faces",
                    KeyConditionExpression="pk = :pk AND sk >= :since",
                    ExpressionAttributeValues=to_item(
                        {
                            ":pk": STORED_FACES.partition(day=day.isoformat(), shard=shard),
                            ":since": since.isoformat(),
                        }
                    ),
                    ScanIndexForward=False,
                )
                for shard in range(FACE_SHARDS)
            ]
            for row in merge_lists(lists, "sk", newest_first=True):
                yield from _stored_faces(row)
            day -= timedelta(days=1)

    def matches(self, embedding_space: str, vector: NDArray[np.float32]) -> Iterator[tuple[str, bool]]:
        """(place, whether it matches) of every face of this space in the whole table."""
        cursor: Cursor = {}
        while True:
            rows, cursor = self._rows.scan_page("read faces", cursor)
            for row in rows:
                if "vectors" in row and _space(row) == embedding_space:
                    alike = _matrix(row) @ vector >= row["same_subject_threshold"]
                    yield from zip(_places(row), map(bool, alike), strict=True)
            if not cursor:
                return

    def remove_matching(self, vectors: Mapping[str, Matrix], cursor: Cursor) -> tuple[int, Cursor]:
        """Delete the faces of one page that match one of these vectors; their number and the next cursor.

        vectors  by embedding space: (n, D), unit rows
        cursor   empty at the beginning and at the end
        """

        def is_unfit(row: Mapping[str, Any]) -> NDArray[np.bool_]:
            faces, probes = _matrix(row), vectors.get(_space(row))
            if probes is None:
                return np.zeros(len(faces), np.bool_)
            alike: NDArray[np.bool_] = (faces @ probes.T).max(axis=1) >= row["same_subject_threshold"]
            return alike

        return self._remove_from_page(is_unfit, cursor) if vectors else (0, {})

    def remove_spaces(self, spaces: Collection[str]) -> int:
        """Delete every face of embedding spaces that are out of use; returns their number."""
        removed, cursor = self._remove_spaces_from_page(spaces, {})
        while cursor:
            number, cursor = self._remove_spaces_from_page(spaces, cursor)
            removed += number
        return removed

    def remove_expired(self, now: datetime, cursor: Cursor) -> tuple[int, Cursor]:
        """Delete the faces of one page whose time is over; DynamoDB itself deletes within some days.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
        """
        return self._remove_from_page(
            lambda row: np.full(len(_matrix(row)), row["expires"] <= now.timestamp()), cursor
        )

    def _remove_spaces_from_page(self, spaces: Collection[str], cursor: Cursor) -> tuple[int, Cursor]:
        return self._remove_from_page(lambda row: np.full(len(_matrix(row)), _space(row) in spaces), cursor)

    def _remove_from_page(
        self, is_unfit: Callable[[Mapping[str, Any]], NDArray[np.bool_]], cursor: Cursor
    ) -> tuple[int, Cursor]:
        rows, following = self._rows.scan_page("read faces", cursor)
        found = ((row, is_unfit(row)) for row in rows if "vectors" in row)
        return sum(self._remove_faces(row, unfit) for row, unfit in found if unfit.any()), following

    def _remove_faces(self, row: Mapping[str, Any], unfit: NDArray[np.bool_]) -> int:
        """Delete some faces of a row as it was read. Raises ConcurrentUpdate if it has changed since."""
        key = to_item({"pk": row["pk"], "sk": row["sk"]})
        if unfit.all():
            self._rows.delete(key, "delete faces")
            return len(unfit)
        numbers = [
            number for number, is_unfit in zip(row["sighting_numbers"], unfit, strict=True) if not is_unfit
        ]
        values = {
            ":numbers": numbers,
            ":vectors": _to_bytes(_raw_matrix(row)[~unfit]),
            ":before": row["vectors"],
        }
        changed = self._rows.update_if(
            key,
            "delete faces",
            UpdateExpression="SET sighting_numbers = :numbers, vectors = :vectors",
            ConditionExpression="vectors = :before",
            ExpressionAttributeValues=to_item(values),
        )
        if changed is None:
            raise ConcurrentUpdate("another erasure changed the same faces")
        return int(unfit.sum())


def _to_bytes(vectors: NDArray[np.floating[Any]]) -> bytes:
    return vectors.astype(np.float16).tobytes()


def _raw_matrix(row: Mapping[str, Any]) -> NDArray[np.float16]:
    """(n, D) of a row: one vector of a subject, or one of each sighting."""
    return np.frombuffer(row["vectors"], np.float16).reshape(len(row.get("sighting_numbers", (0,))), -1)


def _matrix(row: Mapping[str, Any]) -> Matrix:
    """(n, D), unit rows."""
    matrix = _raw_matrix(row).astype(np.float32)
    unit: Matrix = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    return unit


def _space(row: Mapping[str, Any]) -> str:
    """The embedding space of a row; the name of a window ends with it."""
    return str(row["embedding_space"] if "embedding_space" in row else row["pk"].rpartition("#")[2])


def _places(row: Mapping[str, Any]) -> list[str]:
    """Where each face of a row belongs."""
    if "sighting_numbers" in row:
        return [f"sighting {row['drop_id']}-{number}: an unknown face" for number in row["sighting_numbers"]]
    source, window, *_ = row["pk"].split("#")[1:]
    return [f"unknown subjects of {source}, {window}: {row['subject_id']}"]


def _stored_faces(row: Mapping[str, Any]) -> Iterator[StoredFace]:
    for number, vector in zip(row["sighting_numbers"], _matrix(row), strict=True):
        yield StoredFace(
            drop=row["drop_id"],
            sighting_index=number,
            source=row["source"],
            occurred_at=datetime.fromisoformat(row["occurred_at"]),
            vector=vector,
            embedding_space=row["embedding_space"],
            same_subject_threshold=float(row["same_subject_threshold"]),
        )
