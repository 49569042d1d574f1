"""What scheduled functions store between runs: triage, controller, reconcile, re-embedding, canary."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from cloud.dynamodb.attributes import Item, to_item
from cloud.dynamodb.drops import DynamoDropReader
from cloud.dynamodb.queries import Table
from cloud.dynamodb.schema import REANNOUNCEMENT, TASK_RUN
from cloud.dynamodb.state import DynamoStateStore, reembedding_state_name
from cloud.errors import translate_errors
from vigil.drops.messages import S3Object
from vigil.reliability.canary import CanaryOutcome, CanaryRun
from vigil.reliability.circuit_breaker import CircuitBreaker
from vigil.reliability.controller import ControllerState
from vigil.reliability.dead_letters import FaultCase
from vigil.reliability.reconcile import Reannouncement, ReconcileProgress

if TYPE_CHECKING:
    from vigil.people.reembedding import ReembeddingState


class DynamoFaultCases:
    """The fault cases of triage, by the id of their fingerprint."""

    def __init__(self, states: DynamoStateStore) -> None:
        self._states = states

    def load_cases(self) -> Mapping[str, FaultCase]:
        stored = self._states.get("triage") or {}
        return msgspec.convert(stored.get("cases", {}), dict[str, FaultCase])

    def save_cases(self, cases: Mapping[str, FaultCase]) -> None:
        self._states.put("triage", {"cases": {ident: asdict(case) for ident, case in cases.items()}})


def load_controller_state(
    states: DynamoStateStore, create_initial: Callable[[], ControllerState]
) -> ControllerState:
    row = states.get("controller")
    if row is None:
        return create_initial()
    breakers = {
        (one["lane"], one["dependency"]): msgspec.convert(one, CircuitBreaker) for one in row["breakers"]
    }
    return msgspec.convert({**row, "breakers": breakers}, ControllerState)


def save_controller_state(states: DynamoStateStore, state: ControllerState) -> None:
    breakers = [
        {"lane": lane, "dependency": name, **asdict(one)} for (lane, name), one in state.breakers.items()
    ]
    states.put("controller", asdict(state) | {"breakers": breakers})


def load_reconcile_progress(states: DynamoStateStore) -> ReconcileProgress:
    return msgspec.convert(states.get("reconcile") or {}, ReconcileProgress)


def save_reconcile_progress(states: DynamoStateStore, progress: ReconcileProgress) -> None:
    states.put("reconcile", asdict(progress))


def load_reembedding_state(states: DynamoStateStore, model: str) -> ReembeddingState:
    from vigil.people.reembedding import ReembeddingState  # noqa: PLC0415 - loads numpy; the API must not

    return msgspec.convert(states.get(reembedding_state_name(model)) or {}, ReembeddingState)


def save_reembedding_state(states: DynamoStateStore, model: str, state: ReembeddingState) -> None:
    states.put(reembedding_state_name(model), asdict(state))


@dataclass(frozen=True, slots=True)
class ExpiryWalk:
    """A walk over the table of faces that deletes what has expired; `cursor` is empty at its end."""

    began_at: datetime | None = None
    cursor: Mapping[str, str] = field(default_factory=dict)

    def next(self, cursor: Mapping[str, str], now: datetime) -> ExpiryWalk:
        """The walk after some of its pages; one that was at its end has begun now."""
        return ExpiryWalk(self.began_at if self.cursor else now, dict(cursor))


def load_expiry_walk(states: DynamoStateStore) -> ExpiryWalk:
    return msgspec.convert(states.get("expired_faces") or {}, ExpiryWalk)


def save_expiry_walk(states: DynamoStateStore, walk: ExpiryWalk) -> None:
    states.put("expired_faces", asdict(walk))


@dataclass(frozen=True, slots=True)
class TaskRun:
    """A run of triage or reconcile that an operator started through the API.

    report  what a completed run did
    error   why a failed run ended
    """

    id: str
    task: Literal["triage", "reconcile"]
    state: Literal["running", "completed", "failed"] = "running"
    report: Mapping[str, Any] | None = None
    error: str | None = None


class DynamoTaskRuns:
    def __init__(self, client: Any, table: str) -> None:
        self._rows = Table(client, table)

    def save(self, run: TaskRun, now: datetime) -> None:
        row = {**asdict(run), "expires": TASK_RUN.expires(now)}
        self._rows.put(TASK_RUN.key(run=row.pop("id")) | to_item(row), "save task run")

    def find(self, run_id: str) -> TaskRun | None:
        row = self._rows.get(TASK_RUN.key(run=run_id), "read task run")
        return msgspec.convert({**row, "id": run_id}, TaskRun) if row is not None else None


class DynamoReannouncements:
    """When and how often reconcile announced each object again."""

    def __init__(self, client: Any, table: str) -> None:
        self._rows = Table(client, table)

    def find_reannouncements(self, drops: Collection[str]) -> Mapping[str, Reannouncement]:
        keys = [REANNOUNCEMENT.key(drop=drop) for drop in sorted(drops)]
        return {
            row["drop_id"]: Reannouncement(datetime.fromisoformat(row["at"]), row["times"])
            for row in self._rows.batch_get(keys, "read reannouncements")
        }

    def save_reannouncements(self, reannouncements: Mapping[str, Reannouncement]) -> None:
        rows = [_reannouncement_row(*one) for one in reannouncements.items()]
        self._rows.batch_put(rows, "save reannouncements")


def _reannouncement_row(drop: str, reannouncement: Reannouncement) -> Item:
    return REANNOUNCEMENT.key(drop=drop) | to_item(
        {
            "drop_id": drop,
            "at": reannouncement.announced_at,
            "times": reannouncement.announcements,
            "expires": REANNOUNCEMENT.expires(reannouncement.announced_at),
        }
    )


class CanaryProbe:
    """Stores the canary photo; the next run of the schedule checks its result, so that nothing waits."""

    def __init__(self, s3: Any, bucket: str, *, records: DynamoDropReader, states: DynamoStateStore) -> None:
        self._s3, self._bucket, self._records, self._states = s3, bucket, records, states

    def store_photo(self, key: str, photo: bytes) -> S3Object:
        with translate_errors("photos", "store canary photo"):
            answer = self._s3.put_object(Bucket=self._bucket, Key=key, Body=photo)
        return S3Object(self._bucket, key, answer.get("VersionId", ""))

    def last_run(self) -> CanaryRun | None:
        """The run that is to be checked; None before the first."""
        row = self._states.get("canary")
        return CanaryRun(row["drop"], datetime.fromisoformat(row["at"])) if row else None

    def save_run(self, run: CanaryRun) -> None:
        self._states.put("canary", {"drop": run.drop_id, "at": run.stored_at})

    def read_result(self, run: CanaryRun) -> CanaryOutcome | None:
        """The state of the run's drop; None if the ledger has no record of it."""
        found = self._records.find_drop_details(run.drop_id)
        if found is None:
            return None
        drop = found.drop
        boxes = [sighting.box_px for sighting in found.sightings if sighting.box_px is not None]
        return CanaryOutcome(drop.state, drop.completed_at or drop.first_claimed_at, boxes, drop.alerts or 0)
