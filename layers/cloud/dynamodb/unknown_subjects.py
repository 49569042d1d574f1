"""The strangers of a source and window as rows: their faces, kept for a day, and the window in a list.

strangers#<source>#<window>[#<space>]  faces   all of them, guarded by a revision
strangers#<source>#<window>[#<space>]  window  listed; apart, as an index would copy all faces at every write
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from botocore.exceptions import ClientError
from numpy.typing import NDArray

from cloud.dynamodb.attributes import Item, from_item, to_item
from cloud.dynamodb.queries import Listing, listing_attributes
from cloud.errors import error_code, translate_errors
from vigil.alerts.unknown_subjects import StoredFace, UnknownSubjects, no_subjects, remove_matching
from vigil.errors import Transient

WINDOW_TTL = timedelta(days=1)
_WINDOW_LIST = "unknown_subjects"


def window_writes(table: str, subjects: UnknownSubjects, now: datetime) -> list[Item]:
    """What keeps a window in a transaction; the first to keep it lists it."""
    expires = int((now + WINDOW_TTL).timestamp())
    puts = [_faces_put(subjects, expires)]
    if not subjects.revision:
        pk = _window_pk(subjects.source, subjects.window)
        window_row = {"pk": pk, "sk": "window", "source": subjects.source, "window": subjects.window}
        puts.append(
            {"Item": to_item(window_row | {"expires": expires} | listing_attributes(_WINDOW_LIST, pk, now))}
        )
    return [{"Put": {"TableName": table, **put}} for put in puts]


def read_window(client: Any, table: str, source: str, window: str) -> UnknownSubjects:
    """Who was unknown there so far, read consistently."""
    with translate_errors("records", "read unknown subjects"):
        answer = client.get_item(TableName=table, Key=_window_key(source, window), ConsistentRead=True)
    if "Item" not in answer:
        return no_subjects(source, window)
    row = from_item(answer["Item"])
    vectors = np.frombuffer(row["vectors"], np.float16).astype(np.float32)
    ids = tuple(row["ids"])
    matrix = vectors.reshape(len(ids), -1) if ids else no_subjects(source, window).vectors
    return UnknownSubjects(source, window, row["revision"], ids, matrix, row["same_subject_threshold"])


def list_windows(client: Any, table: str, *, since: datetime) -> Iterator[tuple[str, str]]:
    """Source and window of each that is kept."""
    for row in Listing(client, table).newest(_WINDOW_LIST, since=since):
        yield row["source"], row["window"]


def shrink_window(client: Any, table: str, subjects: UnknownSubjects) -> bool:
    """Keep fewer strangers than were read; whether nobody kept others in between."""
    put = _faces_put(subjects, 0)
    changed = {f":{name}": put["Item"][name] for name in ("revision", "ids", "vectors")}
    with translate_errors("records", "shrink unknown subjects"):
        try:
            client.update_item(
                TableName=table,
                Key=_window_key(subjects.source, subjects.window),
                UpdateExpression="SET revision = :revision, ids = :ids, vectors = :vectors",
                ConditionExpression="revision = :before",
                ExpressionAttributeValues=changed | to_item({":before": subjects.revision}),
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            return False
    return True


def _faces_put(subjects: UnknownSubjects, expires: int) -> Item:
    """The row at its next revision. In half precision, as whole a window as there can be fits into one."""
    row = {
        "pk": _window_pk(subjects.source, subjects.window),
        "sk": "faces",
        "revision": subjects.revision + 1,
        "ids": list(subjects.ids),
        "vectors": subjects.vectors.astype(np.float16).tobytes(),
        "same_subject_threshold": subjects.same_subject_threshold,
        "expires": expires,
    }
    return {
        "Item": to_item(row),
        "ConditionExpression": "attribute_not_exists(pk) OR revision = :revision",
        "ExpressionAttributeValues": to_item({":revision": subjects.revision}),
    }


def _window_key(source: str, window: str) -> Item:
    return to_item({"pk": _window_pk(source, window), "sk": "faces"})


def _window_pk(source: str, window: str) -> str:
    return f"unknown_subjects#{source}#{window}"


# MERGED: Faces of strangers, in their sightings where a source asks for it and in windows; and taken out
#   again.

MAX_REMOVE_ATTEMPTS = 5
"""Against lanes that see strangers in the same window."""


class DynamoUnknownFaces:
    """Reads all sightings; only those with a face in them are of interest."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table
        self._listing = Listing(client, table)

    def stored_faces(self, *, since: datetime) -> Iterator[StoredFace]:
        """The faces of strangers, newest first."""
        for row in self._listing.newest("sightings", since=since):
            if "face_vector" in row:
                yield _stored_face_from_row(row)

    def remove_matching(self, vectors: Mapping[str, NDArray[np.float32]], *, since: datetime) -> int:
        """Take out every face that is like one of these, (n, D) by space; how many there were."""
        removed = 0
        for one in self.stored_faces(since=since) if vectors else ():
            if (
                one.embedding_space in vectors
                and (vectors[one.embedding_space] @ one.vector).max() >= one.same_subject_threshold
            ):
                self._remove_face(one)
                removed += 1
        return removed + self._remove_from_windows(vectors, since)

    def _remove_from_windows(self, vectors: Mapping[str, NDArray[np.float32]], since: datetime) -> int:
        """The same where strangers are told apart: a window's name ends with its space."""
        found_windows = list_windows(self._client, self._table, since=since) if vectors else ()
        return sum(
            self._remove_from_window(source, window, vectors[space])
            for source, window in list(found_windows)
            if (space := window.rpartition("#")[2]) in vectors
        )

    def _remove_from_window(self, source: str, window: str, vectors: NDArray[np.float32]) -> int:
        for _ in range(MAX_REMOVE_ATTEMPTS):
            before = read_window(self._client, self._table, source, window)
            after = remove_matching(before, vectors)
            if len(after.ids) == len(before.ids) or shrink_window(self._client, self._table, after):
                return len(before.ids) - len(after.ids)
        raise Transient(
            f"too many concurrent updates of {source}",
            dependency="records",
            operation="delete unknown subjects",
        )

    def remove_spaces(self, spaces: Collection[str], *, since: datetime) -> int:
        """Take out every face that lies in one of these, where nothing is compared any more; how many."""
        removed = [one for one in self.stored_faces(since=since) if one.embedding_space in spaces]
        for one in removed:
            self._remove_face(one)
        return len(removed)

    def _remove_face(self, face: StoredFace) -> None:
        with translate_errors("records", "delete unknown face"):
            self._client.update_item(
                TableName=self._table,
                Key=to_item({"pk": f"drop#{face.drop}", "sk": f"sighting#{face.sighting_index:03}"}),
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
