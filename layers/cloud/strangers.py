"""Faces of strangers, kept in their sightings where a source asks for it; and taken out again."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud.faults import faults
from cloud.items import fields, item
from cloud.listing import Listing
from cloud.pages import every
from vigil.flow.search import Remembered


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

    def forget_alike(self, vectors: Collection[NDArray[np.float32]], *, since: datetime) -> int:
        """Take out every face that is one of these people's; how many there were."""
        if not vectors:
            return 0
        templates, forgotten = np.stack(list(vectors)), 0
        for one in self.remembered(since=since):
            alike = one.vector.shape == templates.shape[1:] and (templates @ one.vector).max() >= one.same_as
            if alike:
                self._forget(one)
                forgotten += 1
        return forgotten

    def _forget(self, one: Remembered) -> None:
        with faults("forget face"):
            self._client.update_item(
                TableName=self._table,
                Key=item({"pk": f"drop#{one.drop}", "sk": f"sighting#{one.number:03}"}),
                UpdateExpression="REMOVE face, same_as",
            )


def templates(client: Any, table: str, person: str) -> list[NDArray[np.float32]]:
    """The templates of somebody enrolled: (D,) each, unit length."""
    rows = every(
        client,
        TableName=table,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
        ExpressionAttributeValues=item({":pk": f"person#{person}", ":sk": "template#"}),
    )
    return [np.frombuffer(fields(row)["vector"], np.float32) for row in rows]


def _remembered(row: dict[str, Any]) -> Remembered:
    vector = np.frombuffer(row["face"], np.float16).astype(np.float32)
    return Remembered(
        drop=row["drop_id"],
        number=int(str(row["sk"]).removeprefix("sighting#")),
        source=row["taken_from"],
        at=datetime.fromisoformat(row["happened_at"]),
        vector=vector / np.linalg.norm(vector),
        same_as=float(row["same_as"]),
    )
