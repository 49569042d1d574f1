"""What releases say of the world, in the records table: an hour a row, that all containers add to."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from cloud.faults import faults
from cloud.items import fields, item
from cloud.pages import every
from vigil.learn.sketch import BINS, WAVES, Sketch

KEPT = timedelta(days=3)
_SCORES = tuple(f"s{n:02}" for n in range(BINS))
_WAVES = tuple(f"w{n:02}" for n in range(2 * WAVES))


class DynamoSketches:
    """Rows: sketch#<model>#<release> <hour, ISO 8601>; sketches <model>#<release>, what there is."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def add(self, model: str, release: str, sketch: Sketch, now: datetime) -> None:
        """Add to the hour of now."""
        numbers = {name: number for name, number in written(sketch).items() if number}
        expires = item({":expires": int((now + KEPT).timestamp())})
        with faults("keep sketch"):
            self._client.update_item(
                TableName=self._table,
                Key=item({"pk": f"sketch#{model}#{release}", "sk": _hour(now)}),
                UpdateExpression="SET expires = :expires ADD " + ", ".join(f"#{n} :{n}" for n in numbers),
                ExpressionAttributeNames={f"#{name}": name for name in numbers},
                ExpressionAttributeValues=expires | item({f":{n}": number for n, number in numbers.items()}),
            )
            listed = item({"pk": "sketches", "sk": f"{model}#{release}", "model": model, "release": release})
            self._client.put_item(
                TableName=self._table, Item=listed | item({"expires": int((now + KEPT).timestamp())})
            )

    def known(self) -> Iterator[tuple[str, str]]:
        """(model, release) of everything that was seen lately."""
        for row in self._rows("sketches", ""):
            yield row["model"], row["release"]

    def since(self, model: str, release: str, begin: datetime) -> Sketch:
        """The sum of the hours since then, with the hour that it falls into."""
        rows = self._rows(f"sketch#{model}#{release}", _hour(begin))
        return sum(map(read, rows), Sketch())

    def _rows(self, pk: str, begin: str) -> Iterator[dict[str, Any]]:
        condition, values = "pk = :pk", {":pk": pk}
        if begin:
            condition, values = f"{condition} AND sk >= :begin", values | {":begin": begin}
        query = {"KeyConditionExpression": condition, "ExpressionAttributeValues": item(values)}
        return map(fields, every(self._client, doing="read sketches", TableName=self._table, **query))


def _hour(at: datetime) -> str:
    return at.replace(minute=0, second=0, microsecond=0).isoformat()


def written(sketch: Sketch) -> dict[str, float]:
    """A sketch as numbers by name."""
    told: dict[str, float] = {"items": sketch.items, "unknown": sketch.unknown, "vectors": sketch.vectors}
    told |= zip(_SCORES, sketch.scores, strict=True)
    return told | {name: round(wave, 6) for name, wave in zip(_WAVES, sketch.waves, strict=True)}


def read(told: dict[str, Any]) -> Sketch:
    """A sketch from its numbers; what is not there is zero."""
    return Sketch(
        items=int(told.get("items", 0)),
        unknown=int(told.get("unknown", 0)),
        scores=tuple(int(told.get(name, 0)) for name in _SCORES),
        vectors=int(told.get("vectors", 0)),
        waves=tuple(float(told.get(name, 0.0)) for name in _WAVES),
    )
