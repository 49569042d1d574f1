"""Numbers that lanes write to the records table: lane counts, release health, comparisons."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import msgspec

from cloud.dynamodb.attributes import to_item
from cloud.dynamodb.queries import Table
from cloud.dynamodb.schema import (
    COMPARISON,
    LANE_COUNTS,
    LIST_SHARDS,
    RELEASE_HEALTH,
    RowKind,
    shard_of,
)
from vigil.releases.health import HealthCounts
from vigil.releases.shadow import ShadowComparison
from vigil.reliability.lane_counts import FirstAttempts, LaneCounts

LANE_BUCKET = HEALTH_BUCKET = timedelta(seconds=10)
_FAILURE_PREFIX = "failed_"
_FIRST_ATTEMPTS = re.compile(r"first_(\d+)(?:_(\w+))?")
"""First attempts of a group of sources, or those of them that failed on a dependency."""
_HEALTH_ATTRIBUTES = ("samples", "slow", "unrecognised")


class TimeBucketCounter:
    """Rows that all containers add numbers to, one row for each bucket of time.

    kind    its sort key is the start of the bucket, in ISO 8601 and UTC
    bucket  the length of a bucket
    """

    def __init__(self, client: Any, table: str, kind: RowKind, bucket: timedelta, *, operation: str) -> None:
        self._rows, self._kind, self._bucket, self._operation = Table(client, table), kind, bucket, operation

    def add(
        self, at: datetime, numbers: Mapping[str, float], latest: Mapping[str, float], **parts: str
    ) -> None:
        """Add to the bucket of a time.

        numbers  are added to those of the row
        latest   replace those of the row
        parts    of the partition key
        """
        assigned = {**latest, "expires": self._kind.expires(at)}
        added = ", ".join(f"#{name} :{name}" for name in numbers)
        values = assigned | dict(numbers)
        self._rows.update(
            self._kind.key(start=self.bucket_of(at).isoformat(), **parts),
            f"add {self._operation}",
            UpdateExpression=f"SET {', '.join(f'#{name} = :{name}' for name in assigned)} ADD {added}",
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues=to_item({f":{name}": value for name, value in values.items()}),
        )

    def since(self, begin: datetime, *, newest_first: bool = False, **parts: str) -> Iterator[dict[str, Any]]:
        """The rows of all buckets that began at this time or later."""
        page: dict[str, Any] = {"ScanIndexForward": False, "Limit": 50} if newest_first else {}
        pk = self._kind.partition(**parts)
        return self._rows.partition(pk, f"read {self._operation}", sk_from=begin.isoformat(), **page)

    def bucket_of(self, at: datetime) -> datetime:
        """The start of the bucket of a time."""
        bucket_s = self._bucket.total_seconds()
        return datetime.fromtimestamp(at.timestamp() // bucket_s * bucket_s, UTC)


class DynamoLaneCounts:
    def __init__(self, client: Any, table: str) -> None:
        self._counter = TimeBucketCounter(client, table, LANE_COUNTS, LANE_BUCKET, operation="lane counts")

    def add(self, lane: str, counts: LaneCounts) -> None:
        """Add to the bucket of `counts.at`; of several ages, the last one written stays."""
        numbers = {"calls": counts.calls, "seconds": round(counts.seconds, 3)}
        numbers |= {f"{_FAILURE_PREFIX}{name}": count for name, count in counts.failures.items()}
        for group, one in counts.first_attempts.items():
            numbers[f"first_{group}"] = one.calls
            numbers |= {f"first_{group}_{name}": count for name, count in one.failures.items()}
        self._counter.add(counts.at, numbers, {"age_s": counts.age_s}, lane=lane)

    def since(self, lane: str, begin: datetime) -> Sequence[LaneCounts]:
        """The buckets that began at this time or later, oldest first."""
        return [_lane_counts_from_row(row) for row in self._counter.since(begin, lane=lane)]


def _lane_counts_from_row(row: Mapping[str, Any]) -> LaneCounts:
    failures = {
        name.removeprefix(_FAILURE_PREFIX): n for name, n in row.items() if name.startswith(_FAILURE_PREFIX)
    }
    at = datetime.fromisoformat(row["sk"])
    first_attempts = _first_attempts_from_row(row)
    return LaneCounts(at, row["calls"], float(row["seconds"]), failures, float(row["age_s"]), first_attempts)


def _first_attempts_from_row(row: Mapping[str, Any]) -> dict[int, FirstAttempts]:
    calls: dict[int, int] = {}
    failures: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for name, number in row.items():
        found = _FIRST_ATTEMPTS.fullmatch(name)
        if found is not None and found[2] is None:
            calls[int(found[1])] = number
        elif found is not None:
            failures[int(found[1])][found[2]] = number
    return {group: FirstAttempts(count, failures[group]) for group, count in calls.items()}


class DynamoReleaseHealth:
    def __init__(self, client: Any, table: str) -> None:
        self._counter = TimeBucketCounter(
            client, table, RELEASE_HEALTH, HEALTH_BUCKET, operation="release health"
        )

    def add(self, model: str, release: str, counts: HealthCounts, now: datetime) -> None:
        numbers = {name: getattr(counts, name) for name in _HEALTH_ATTRIBUTES}
        self._counter.add(now, numbers, {}, model=model, release=release)

    def latest_counts(self, model: str, release: str, since: datetime) -> Iterator[HealthCounts]:
        """The buckets that began at this time or later, newest first."""
        for row in self._counter.since(since, newest_first=True, model=model, release=release):
            yield msgspec.convert(row, HealthCounts)


class DynamoComparisons:
    """One row for each release and drop, so that a comparison that is saved twice counts once."""

    def __init__(self, client: Any, table: str) -> None:
        self._rows = Table(client, table)

    def save(self, comparison: ShadowComparison, now: datetime) -> None:
        row = asdict(comparison)
        drop = row.pop("drop_id")
        where = {"model": row.pop("model"), "release": row.pop("release"), "shard": shard_of(drop)}
        key = COMPARISON.key(**where, drop=drop)
        row |= {"at": now.isoformat(), "expires": COMPARISON.expires(now)}
        self._rows.put(key | to_item(row), "save comparison")

    def comparisons_since(self, model: str, release: str, since: datetime) -> tuple[ShadowComparison, ...]:
        rows = chain.from_iterable(
            self._rows.query(
                "read comparisons",
                KeyConditionExpression="pk = :pk",
                FilterExpression="#at >= :since",
                ExpressionAttributeNames={"#at": "at"},
                ExpressionAttributeValues=to_item(
                    {
                        ":pk": COMPARISON.partition(model=model, release=release, shard=shard),
                        ":since": since.isoformat(),
                    }
                ),
            )
            for shard in range(LIST_SHARDS)
        )
        return tuple(
            msgspec.convert(
                {**row, "model": model, "release": release, "drop_id": row["sk"]}, ShadowComparison
            )
            for row in rows
        )
