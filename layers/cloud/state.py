"""One row a name in the records table: what a function remembers between runs."""

from collections.abc import Mapping
from typing import Any

from cloud.faults import faults
from cloud.items import fields, item
from cloud.pages import many


class States:
    """Rows: state#<name> state."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def read(self, *names: str) -> dict[str, dict[str, Any]]:
        """Of these, what was ever put, by name; in one call."""
        rows = many(self._client, self._table, [_key(name) for name in names], doing="read states")
        found = {row["pk"]["S"].removeprefix("state#"): fields(row)["value"] for row in rows}
        return {name: found[name] for name in names if name in found}

    def get(self, name: str) -> dict[str, Any] | None:
        """What was last put; None where nothing ever was."""
        with faults(f"read state {name}"):
            answer = self._client.get_item(TableName=self._table, Key=_key(name), ConsistentRead=True)
        return fields(answer["Item"])["value"] if "Item" in answer else None

    def put(self, name: str, value: Mapping[str, Any]) -> None:
        with faults(f"keep state {name}"):
            self._client.put_item(TableName=self._table, Item=_key(name) | item({"value": dict(value)}))


def kept(model: str) -> str:
    """The name of what is remembered of how far a model's releases know what is kept of its outputs."""
    return f"kept#{model}"


def _key(name: str) -> dict[str, Any]:
    return item({"pk": f"state#{name}", "sk": "state"})
