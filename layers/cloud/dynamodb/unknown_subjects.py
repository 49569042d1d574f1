"""The faces of unknown subjects: of each source and time window, and those stored with sightings.

A window has a row with all faces, guarded by a revision, and a small row for the index, because an index on
the first would copy all faces at every write.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud.dynamodb.attributes import Item, to_item
from cloud.dynamodb.queries import Listing, Table
from cloud.dynamodb.schema import SIGHTING, UNKNOWN_FACES, UNKNOWN_WINDOW, listing_attributes
from vigil.alerts.unknown_subjects import StoredFace, UnknownSubjects, no_subjects, remove_matching
from vigil.errors import Transient

_WINDOW_LIST = "unknown_subjects"
MAX_REMOVE_ATTEMPTS = 5
"""Lanes may change a window while faces are removed from it."""


def window_writes(rows: Table, subjects: UnknownSubjects, now: datetime) -> list[Item]:
    """The writes of a transaction that store a window; the first one also lists it."""
    where = {"source": subjects.source, "window": subjects.window}
    writes = [
        rows.put_write(
            UNKNOWN_FACES.key(**where)
            | _faces_item(subjects)
            | to_item({"expires": UNKNOWN_FACES.expires(now)}),
            ConditionExpression="attribute_not_exists(pk) OR revision = :revision",
            ExpressionAttributeValues=to_item({":revision": subjects.revision}),
        )
    ]
    if not subjects.revision:
        row = where | {"expires": UNKNOWN_WINDOW.expires(now)}
        row |= listing_attributes(_WINDOW_LIST, UNKNOWN_WINDOW.partition(**where), now)
        writes.append(rows.put_write(UNKNOWN_WINDOW.key(**where) | to_item(row)))
    return writes


def _faces_item(subjects: UnknownSubjects) -> Item:
    """The row at its next revision; in half precision the largest window has less than 400 KB."""
    return to_item(
        {
            "revision": subjects.revision + 1,
            "ids": list(subjects.ids),
            "vectors": subjects.vectors.astype(np.float16).tobytes(),
            "same_subject_threshold": subjects.same_subject_threshold,
        }
    )


def read_window(rows: Table, source: str, window: str) -> UnknownSubjects:
    """The unknown subjects of a window so far, read consistently."""
    key = UNKNOWN_FACES.key(source=source, window=window)
    row = rows.get(key, "read unknown subjects")
    if row is None:
        return no_subjects(source, window)
    vectors = np.frombuffer(row["vectors"], np.float16).astype(np.float32)
    ids = tuple(row["ids"])
    matrix = vectors.reshape(len(ids), -1) if ids else no_subjects(source, window).vectors
    return UnknownSubjects(source, window, row["revision"], ids, matrix, row["same_subject_threshold"])


def list_windows(listing: Listing, *, since: datetime) -> Iterator[tuple[str, str]]:
    """(source, window) of each window that is stored."""
    for row in listing.newest(_WINDOW_LIST, since=since):
        yield row["source"], row["window"]


class DynamoUnknownFaces:
    def __init__(self, client: Any, table: str) -> None:
        self._rows, self._listing = Table(client, table), Listing(client, table)

    def stored_faces(self, *, since: datetime) -> Iterator[StoredFace]:
        """The unknown faces that are stored with sightings, newest first; it reads all sightings."""
        for row in self._listing.newest("sightings", since=since):
            if "face_vector" in row:
                yield _stored_face_from_row(row)

    def remove_matching(self, vectors: Mapping[str, NDArray[np.float32]], *, since: datetime) -> int:
        """Delete every face that matches one of these vectors; returns their number.

        vectors  by embedding space: (n, D), unit rows
        """
        removed = 0
        for one in self.stored_faces(since=since) if vectors else ():
            if (
                one.embedding_space in vectors
                and (vectors[one.embedding_space] @ one.vector).max() >= one.same_subject_threshold
            ):
                self._remove_face(one)
                removed += 1
        return removed + self._remove_from_windows(vectors, since)

    def remove_spaces(self, spaces: Collection[str], *, since: datetime) -> int:
        """Delete every face of embedding spaces that are out of use; returns their number."""
        removed = [one for one in self.stored_faces(since=since) if one.embedding_space in spaces]
        for one in removed:
            self._remove_face(one)
        return len(removed)

    def _remove_from_windows(self, vectors: Mapping[str, NDArray[np.float32]], since: datetime) -> int:
        """The name of a window ends with its embedding space."""
        found_windows = list_windows(self._listing, since=since) if vectors else ()
        return sum(
            self._remove_from_window(source, window, vectors[space])
            for source, window in list(found_windows)
            if (space := window.rpartition("#")[2]) in vectors
        )

    def _remove_from_window(self, source: str, window: str, vectors: NDArray[np.float32]) -> int:
        for _ in range(MAX_REMOVE_ATTEMPTS):
            before = read_window(self._rows, source, window)
            after = remove_matching(before, vectors)
            if len(after.ids) == len(before.ids) or self._shrink_window(after):
                return len(before.ids) - len(after.ids)
        raise Transient(
            f"too many concurrent updates of {source}",
            dependency="records",
            operation="delete unknown subjects",
        )

    def _shrink_window(self, subjects: UnknownSubjects) -> bool:
        """Store fewer subjects than were read; False if the window has changed since."""
        item = _faces_item(subjects)
        answer = self._rows.update_if(
            UNKNOWN_FACES.key(source=subjects.source, window=subjects.window),
            "delete unknown subjects",
            UpdateExpression="SET revision = :revision, ids = :ids, vectors = :vectors",
            ConditionExpression="revision = :before",
            ExpressionAttributeValues={f":{name}": item[name] for name in ("revision", "ids", "vectors")}
            | to_item({":before": subjects.revision}),
        )
        return answer is not None

    def _remove_face(self, face: StoredFace) -> None:
        self._rows.update(
            SIGHTING.key(drop=face.drop, number=face.sighting_index),
            "delete unknown face",
            UpdateExpression="REMOVE face_vector, same_subject_threshold, #space",
            ExpressionAttributeNames={"#space": "embedding_space"},
        )


def _stored_face_from_row(row: dict[str, Any]) -> StoredFace:
    vector = np.frombuffer(row["face_vector"], np.float16).astype(np.float32)
    return StoredFace(
        drop=row["drop_id"],
        sighting_index=int(str(row["sk"]).removeprefix("sighting#")),
        source=row["source"],
        occurred_at=datetime.fromisoformat(row["occurred_at"]),
        vector=vector / np.linalg.norm(vector),
        embedding_space=str(row.get("embedding_space", "")),
        same_subject_threshold=float(row["same_subject_threshold"]),
    )
