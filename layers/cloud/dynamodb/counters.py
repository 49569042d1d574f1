"""What lanes count, in the records table: ten seconds a row, that all containers of a lane add to."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cloud.dynamodb.attributes import from_item, to_item
from cloud.dynamodb.queries import query_all
from cloud.errors import translate_errors
from vigil.releases.drift import FOURIER_FREQUENCIES, SCORE_BINS, OutputSketch
from vigil.releases.health import HealthCounts
from vigil.reliability.lane_counts import LaneCounts

LANE_BUCKET_S = 10
_LANE_COUNTS_TTL = timedelta(hours=1)
_FAILURE_PREFIX = "failed_"


class DynamoLaneCounts:
    """Rows: lane_counts#<lane> <start, ISO 8601>."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def add(self, lane: str, counts: LaneCounts) -> None:
        """Add to the stretch that `counted.at` falls into; of ages, the latest stays."""
        numbers = {"calls": counts.calls, "seconds": round(counts.seconds, 3)}
        numbers |= {f"{_FAILURE_PREFIX}{name}": count for name, count in counts.failures.items()}
        with translate_errors("records", "add lane counts"):
            self._client.update_item(
                TableName=self._table,
                Key=to_item({"pk": f"lane_counts#{lane}", "sk": _bucket_start(counts.at).isoformat()}),
                UpdateExpression="SET age_s = :age_s, expires = :expires ADD "
                + ", ".join(f"#{name} :{name}" for name in numbers),
                ExpressionAttributeNames={f"#{name}": name for name in numbers},
                ExpressionAttributeValues=to_item({f":{name}": number for name, number in numbers.items()})
                | to_item(
                    {":age_s": counts.age_s, ":expires": int((counts.at + _LANE_COUNTS_TTL).timestamp())}
                ),
            )

    def since(self, lane: str, begin: datetime) -> Sequence[LaneCounts]:
        """All stretches that began at or after a time, oldest first."""
        with translate_errors("records", "read lane counts"):
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :lane AND sk >= :begin",
                ExpressionAttributeValues=to_item(
                    {":lane": f"lane_counts#{lane}", ":begin": begin.isoformat()}
                ),
                ConsistentRead=True,
            )
        return [_lane_counts_from_row(from_item(row)) for row in answer["Items"]]


def _lane_counts_from_row(row: Mapping[str, Any]) -> LaneCounts:
    failures = {
        name.removeprefix(_FAILURE_PREFIX): n for name, n in row.items() if name.startswith(_FAILURE_PREFIX)
    }
    at = datetime.fromisoformat(row["sk"])
    return LaneCounts(at, row["calls"], float(row["seconds"]), failures, float(row["age_s"]))


def _bucket_start(at: datetime) -> datetime:
    return datetime.fromtimestamp(int(at.timestamp()) // LANE_BUCKET_S * LANE_BUCKET_S, UTC)


# MERGED: What active releases show, in the records table: ten seconds a row, that all containers add to.

HEALTH_BUCKET_S = 10
_HEALTH_TTL = timedelta(hours=2)
_HEALTH_FIELDS = ("samples", "slow", "unrecognised")


class DynamoReleaseHealth:
    """Rows: vitals#<model>#<release> <start, ISO 8601>."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def add(self, model: str, release: str, counts: HealthCounts, now: datetime) -> None:
        """Add to the stretch of now."""
        values = {f":{name}": getattr(counts, name) for name in _HEALTH_FIELDS}
        start = datetime.fromtimestamp(int(now.timestamp()) // HEALTH_BUCKET_S * HEALTH_BUCKET_S, UTC)
        with translate_errors("records", "add release health"):
            self._client.update_item(
                TableName=self._table,
                Key=to_item({"pk": f"release_health#{model}#{release}", "sk": start.isoformat()}),
                UpdateExpression="SET expires = :expires "
                "ADD samples :samples, slow :slow, unrecognised :unrecognised",
                ExpressionAttributeValues=to_item(
                    {**values, ":expires": int((now + _HEALTH_TTL).timestamp())}
                ),
            )

    def latest_counts(self, model: str, release: str, since: datetime) -> Iterator[HealthCounts]:
        """Stretches that began since then, from the newest back."""
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND sk >= :since",
            "ExpressionAttributeValues": to_item(
                {":pk": f"release_health#{model}#{release}", ":since": since.isoformat()}
            ),
            "ScanIndexForward": False,
            "ConsistentRead": True,
            "Limit": 50,
        }
        for row in map(
            from_item, query_all(self._client, dependency="records", operation="read release health", **query)
        ):
            yield HealthCounts(*(row[name] for name in _HEALTH_FIELDS))


# MERGED: What releases say of the world, in the records table: an hour a row, that all containers add to.

SKETCH_TTL = timedelta(days=3)
_SCORE_ATTRIBUTES = tuple(f"s{n:02}" for n in range(SCORE_BINS))
_COEFFICIENT_ATTRIBUTES = tuple(f"w{n:02}" for n in range(2 * FOURIER_FREQUENCIES))


class DynamoSketches:
    """Rows: sketch#<model>#<release> <hour, ISO 8601>; sketches <model>#<release>, what there is."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def add(self, model: str, release: str, sketch: OutputSketch, now: datetime) -> None:
        """Add to the hour of now."""
        numbers = {name: number for name, number in sketch_to_row(sketch).items() if number}
        expires = to_item({":expires": int((now + SKETCH_TTL).timestamp())})
        with translate_errors("records", "add sketch"):
            self._client.update_item(
                TableName=self._table,
                Key=to_item({"pk": f"sketch#{model}#{release}", "sk": _hour_key(now)}),
                UpdateExpression="SET expires = :expires ADD " + ", ".join(f"#{n} :{n}" for n in numbers),
                ExpressionAttributeNames={f"#{name}": name for name in numbers},
                ExpressionAttributeValues=expires
                | to_item({f":{n}": number for n, number in numbers.items()}),
            )
            listed = to_item(
                {"pk": "sketches", "sk": f"{model}#{release}", "model": model, "release": release}
            )
            self._client.put_item(
                TableName=self._table, Item=listed | to_item({"expires": int((now + SKETCH_TTL).timestamp())})
            )

    def known_releases(self) -> Iterator[tuple[str, str]]:
        """(model, release) of everything that was seen lately."""
        for row in self._rows("sketches", ""):
            yield row["model"], row["release"]

    def sum_since(self, model: str, release: str, begin: datetime) -> OutputSketch:
        """The sum of the hours since then, with the hour that it falls into."""
        rows = self._rows(f"sketch#{model}#{release}", _hour_key(begin))
        return sum(map(sketch_from_row, rows), OutputSketch())

    def _rows(self, pk: str, first_hour: str) -> Iterator[dict[str, Any]]:
        condition, values = "pk = :pk", {":pk": pk}
        if first_hour:
            condition, values = f"{condition} AND sk >= :begin", values | {":begin": first_hour}
        query = {"KeyConditionExpression": condition, "ExpressionAttributeValues": to_item(values)}
        return map(
            from_item,
            query_all(
                self._client, dependency="records", operation="read sketches", TableName=self._table, **query
            ),
        )


def _hour_key(at: datetime) -> str:
    return at.replace(minute=0, second=0, microsecond=0).isoformat()


def sketch_to_row(sketch: OutputSketch) -> dict[str, float]:
    """A sketch as numbers by name."""
    row: dict[str, float] = {"items": sketch.items, "unknown": sketch.unknown, "vectors": sketch.embeddings}
    row |= zip(_SCORE_ATTRIBUTES, sketch.score_counts, strict=True)
    return row | {
        name: round(wave, 6) for name, wave in zip(_COEFFICIENT_ATTRIBUTES, sketch.fourier_sums, strict=True)
    }


def sketch_from_row(row: dict[str, Any]) -> OutputSketch:
    """A sketch from its numbers; what is not there is zero."""
    return OutputSketch(
        items=int(row.get("items", 0)),
        unknown=int(row.get("unknown", 0)),
        score_counts=tuple(int(row.get(name, 0)) for name in _SCORE_ATTRIBUTES),
        embeddings=int(row.get("vectors", 0)),
        fourier_sums=tuple(float(row.get(name, 0.0)) for name in _COEFFICIENT_ATTRIBUTES),
    )
