"""What each enrolment photo came to: a vector by space, and the portrait that further ones are made from."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from botocore.exceptions import ClientError
from numpy.typing import NDArray

from cloud.faults import code, faults
from cloud.items import Item, fields, item
from cloud.pages import every
from vigil.flow.migrate import Photo
from vigil.seeing import Portrait


class DynamoTemplates:
    """The rows template#... of the people table; cloud/people.py writes them."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def vectors(self, person: str) -> dict[str, NDArray[np.float32]]:
        """By space, everything that somebody's photos came to: (n, D) float32, unit rows."""
        found: dict[str, list[NDArray[np.float32]]] = {}
        for row in self._rows(person, "vectors"):
            for space, vector in _vectors(row).items():
                found.setdefault(space, []).append(vector)
        return {space: np.stack(rows) for space, rows in found.items()}

    def of(self, person: str) -> Iterator[Photo]:
        """Port Photos."""
        for row in self._rows(person, "sk, vectors, portrait, portrait_box_px"):
            box = row.get("portrait_box_px")
            yield Photo(row["sk"], _vectors(row), Portrait(row["portrait"], tuple(box)) if box else None)

    def add(self, person: str, key: str, space: str, vector: NDArray[np.float32]) -> None:
        values = item({":vector": vector.tobytes()})
        self._change(person, key, "SET vectors.#space = :vector", space, values)

    def drop(self, person: str, space: str) -> None:
        """Take out what a retired release made of somebody's photos."""
        for row in list(self._rows(person, "sk, vectors")):
            if space in row["vectors"]:
                self._change(person, row["sk"], "REMOVE vectors.#space", space, {})

    def _change(self, person: str, key: str, expression: str, space: str, values: Item) -> None:
        with faults("change template"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=item({"pk": f"person#{person}", "sk": key}),
                    UpdateExpression=expression,
                    ConditionExpression="attribute_exists(vectors)",
                    ExpressionAttributeNames={"#space": space},
                    **({"ExpressionAttributeValues": values} if values else {}),
                )
            except ClientError as error:
                if code(error) != "ConditionalCheckFailedException":
                    raise

    def _rows(self, person: str, wanted: str) -> Iterator[dict[str, Any]]:
        """Read consistently."""
        rows = every(
            self._client,
            doing="read templates",
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues=item({":pk": f"person#{person}", ":sk": "template#"}),
            ProjectionExpression=wanted,
            ConsistentRead=True,
        )
        return map(fields, rows)


def _vectors(row: dict[str, Any]) -> dict[str, NDArray[np.float32]]:
    return {space: np.frombuffer(vector, np.float32) for space, vector in row["vectors"].items()}
