"""Faces of strangers, in their sightings where a source asks for it and in windows; and taken out again."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud.faults import faults
from cloud.items import item
from cloud.listing import Listing
from cloud.windows import shrunk, window_of, windows
from vigil.errors import Transient
from vigil.flow.search import Remembered
from vigil.watch.strangers import without

TRIES = 5
"""Against lanes that see strangers in the same window."""


class DynamoStrangers:
    """Reads all sightings; only those with a face in them are of interest."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table
        self._listing = Listing(client, table)

    def remembered(self, *, since: datetime) -> Iterator[Remembered]:
        """The faces of strangers, newest first."""
        for row in self._listing.newest("sightings", since=since):
            if "face" in row:
                yield _remembered(row)

    def forget_alike(self, vectors: Mapping[str, NDArray[np.float32]], *, since: datetime) -> int:
        """Take out every face that is like one of these, (n, D) by space; how many there were."""
        forgotten = 0
        for one in self.remembered(since=since) if vectors else ():
            if one.space in vectors and (vectors[one.space] @ one.vector).max() >= one.same_as:
                self._forget(one)
                forgotten += 1
        return forgotten + self._forget_in_windows(vectors, since)

    def _forget_in_windows(self, vectors: Mapping[str, NDArray[np.float32]], since: datetime) -> int:
        """The same where strangers are told apart: a window's name ends with its space."""
        where = windows(self._client, self._table, since=since) if vectors else ()
        return sum(
            self._forget_in(source, window, vectors[space])
            for source, window in list(where)
            if (space := window.rpartition("#")[2]) in vectors
        )

    def _forget_in(self, source: str, window: str, vectors: NDArray[np.float32]) -> int:
        for _ in range(TRIES):
            before = window_of(self._client, self._table, source, window)
            after = without(before, vectors)
            if len(after.ids) == len(before.ids) or shrunk(self._client, self._table, after):
                return len(before.ids) - len(after.ids)
        raise Transient(f"forget strangers of {source}: they change all the time")

    def forget_spaces(self, spaces: Collection[str], *, since: datetime) -> int:
        """Take out every face that lies in one of these, where nothing is compared any more; how many."""
        gone = [one for one in self.remembered(since=since) if one.space in spaces]
        for one in gone:
            self._forget(one)
        return len(gone)

    def _forget(self, one: Remembered) -> None:
        with faults("forget face"):
            self._client.update_item(
                TableName=self._table,
                Key=item({"pk": f"drop#{one.drop}", "sk": f"sighting#{one.number:03}"}),
                UpdateExpression="REMOVE face, same_as, #space",
                ExpressionAttributeNames={"#space": "space"},
            )


def _remembered(row: dict[str, Any]) -> Remembered:
    vector = np.frombuffer(row["face"], np.float16).astype(np.float32)
    return Remembered(
        drop=row["drop_id"],
        number=int(str(row["sk"]).removeprefix("sighting#")),
        source=row["taken_from"],
        at=datetime.fromisoformat(row["happened_at"]),
        vector=vector / np.linalg.norm(vector),
        space=str(row.get("space", "")),
        same_as=float(row["same_as"]),
    )
