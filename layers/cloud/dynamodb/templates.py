"""What each enrolment photo came to: a vector by space, and the portrait that further ones are made from."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from botocore.exceptions import ClientError
from numpy.typing import NDArray

from cloud.dynamodb.attributes import Item, from_item, to_item
from cloud.dynamodb.queries import query_all
from cloud.errors import error_code, translate_errors
from vigil.inference.types import ReferenceImage
from vigil.people.reembedding import StoredPhoto


class DynamoTemplates:
    """The rows template#... of the people table; cloud/people.py writes them."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def vectors(self, person: str) -> dict[str, NDArray[np.float32]]:
        """By space, everything that somebody's photos came to: (n, D) float32, unit rows."""
        found: dict[str, list[NDArray[np.float32]]] = {}
        for row in self._rows(person, "vectors"):
            for space, vector in _vectors_from_row(row).items():
                found.setdefault(space, []).append(vector)
        return {space: np.stack(rows) for space, rows in found.items()}

    def photos_of(self, person: str) -> Iterator[StoredPhoto]:
        """Port Photos."""
        for row in self._rows(person, "sk, vectors, reference_image, reference_box_px"):
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
        """Take out what a retired release made of somebody's photos."""
        for row in list(self._rows(person, "sk, vectors")):
            if space in row["vectors"]:
                self._update_vectors(person, row["sk"], "REMOVE vectors.#space", space, {})

    def _update_vectors(self, person: str, key: str, expression: str, space: str, values: Item) -> None:
        with translate_errors("people", "update template"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=to_item({"pk": f"person#{person}", "sk": key}),
                    UpdateExpression=expression,
                    ConditionExpression="attribute_exists(vectors)",
                    ExpressionAttributeNames={"#space": space},
                    **({"ExpressionAttributeValues": values} if values else {}),
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise

    def _rows(self, person: str, projection: str) -> Iterator[dict[str, Any]]:
        """Read consistently."""
        rows = query_all(
            self._client,
            dependency="people",
            operation="read templates",
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues=to_item({":pk": f"person#{person}", ":sk": "template#"}),
            ProjectionExpression=projection,
            ConsistentRead=True,
        )
        return map(from_item, rows)


def _vectors_from_row(row: dict[str, Any]) -> dict[str, NDArray[np.float32]]:
    return {space: np.frombuffer(vector, np.float32) for space, vector in row["vectors"].items()}
