"""Sketches of the outputs of releases in the records table; apart, because sketches need numpy."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from cloud.dynamodb.attributes import to_item
from cloud.dynamodb.counters import TimeBucketCounter
from cloud.dynamodb.queries import Table
from cloud.dynamodb.schema import SKETCH, SKETCHED_RELEASE
from vigil.releases.drift import FOURIER_FREQUENCIES, SCORE_BINS, OutputSketch

SKETCH_BUCKET = timedelta(hours=1)
_SCORE_ATTRIBUTES = tuple(f"s{n:02}" for n in range(SCORE_BINS))
_COEFFICIENT_ATTRIBUTES = tuple(f"w{n:02}" for n in range(2 * FOURIER_FREQUENCIES))


class DynamoSketches:
    """Sketches by the hour, and a row for each release that has one."""

    def __init__(self, client: Any, table: str) -> None:
        self._rows = Table(client, table)
        self._counter = TimeBucketCounter(client, table, SKETCH, SKETCH_BUCKET, operation="sketch")

    def add(self, model: str, release: str, sketch: OutputSketch, now: datetime) -> None:
        numbers = {name: number for name, number in sketch_to_row(sketch).items() if number}
        self._counter.add(now, numbers, {}, model=model, release=release)
        row = {"model": model, "release": release, "expires": SKETCHED_RELEASE.expires(now)}
        key = SKETCHED_RELEASE.key(model=model, release=release)
        self._rows.put(key | to_item(row), "add sketch")

    def known_releases(self) -> Iterator[tuple[str, str]]:
        """(model, release) of everything that has a sketch."""
        for row in self._rows.partition(SKETCHED_RELEASE.partition(), "list sketches"):
            yield row["model"], row["release"]

    def sum_since(self, model: str, release: str, begin: datetime) -> OutputSketch:
        """The sum of the hours from the one of `begin` on."""
        rows = self._counter.since(self._counter.bucket_of(begin), model=model, release=release)
        return sum(map(sketch_from_row, rows), OutputSketch())


def sketch_to_row(sketch: OutputSketch) -> dict[str, float]:
    row: dict[str, float] = {"items": sketch.items, "unknown": sketch.unknown, "vectors": sketch.embeddings}
    row |= zip(_SCORE_ATTRIBUTES, sketch.score_counts, strict=True)
    return row | {
        name: round(wave, 6) for name, wave in zip(_COEFFICIENT_ATTRIBUTES, sketch.fourier_sums, strict=True)
    }


def sketch_from_row(row: Mapping[str, Any]) -> OutputSketch:
    """A sketch from its attributes; one that is absent is zero."""
    return OutputSketch(
        items=int(row.get("items", 0)),
        unknown=int(row.get("unknown", 0)),
        score_counts=tuple(int(row.get(name, 0)) for name in _SCORE_ATTRIBUTES),
        embeddings=int(row.get("vectors", 0)),
        fourier_sums=tuple(float(row.get(name, 0.0)) for name in _COEFFICIENT_ATTRIBUTES),
    )
