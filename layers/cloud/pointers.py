"""Which releases of each model are in use: rows of the records table, and a cached look at them.

releases            <model>       the pointers, guarded by a revision
releases#<model>    life#<id>     one release's life and measure
trial#<model>#<id>  <drop>        what a release showed on a drop
vitals#<model>#<id> <start>       what it showed in ten seconds, while it was active
"""

import time
from collections.abc import Mapping
from typing import Any

from cloud.faults import faults
from cloud.items import fields, item
from vigil.errors import Transient
from vigil.learn.release import Pointers
from vigil.learn.vitals import Expected

MOST_MODELS = 100
"""Names remembered: keys name models, and anybody who may drop can make names up."""


def pointers_key(model: str) -> dict[str, Any]:
    return item({"pk": "releases", "sk": model})


def pointers_of(row: Mapping[str, Any]) -> Pointers:
    return Pointers(
        active=row.get("active"),
        candidate=row.get("candidate"),
        former=row.get("former"),
        share=float(row.get("share", 0)),
        beside=float(row.get("beside", 0)),
        expected=Expected(**{name: float(one) for name, one in row["expected"].items()})
        if row.get("expected")
        else None,
    )


class PointersInForce:
    """A model's pointers; where the table is away, those that were known last.

    fresh_s  seconds for which a look is good
    """

    def __init__(self, client: Any, table: str, *, fresh_s: float) -> None:
        self._client, self._table, self._fresh_s = client, table, fresh_s
        self._known: dict[str, tuple[float, Pointers]] = {}

    def __call__(self, model: str) -> Pointers:
        now = time.monotonic()
        looked, known = self._known.get(model, (float("-inf"), Pointers()))
        if now - looked >= self._fresh_s:
            known = self._look(model, known)
            if len(self._known) >= MOST_MODELS:
                self._known.clear()
            self._known[model] = (now, known)
        return known

    def _look(self, model: str, known: Pointers) -> Pointers:
        try:
            return self._read(model)
        except Transient:
            return known

    def _read(self, model: str) -> Pointers:
        with faults("read release pointers"):
            answer = self._client.get_item(
                TableName=self._table, Key=pointers_key(model), ConsistentRead=True
            )
        return pointers_of(fields(answer["Item"])) if "Item" in answer else Pointers()
