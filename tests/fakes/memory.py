"""In-memory implementations of the ports, for use-case and contract tests."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from vigil.alerts.alert import Alert
from vigil.alerts.unknown_subjects import UnknownSubjects, no_subjects
from vigil.drops.ledger import (
    MAX_LEASE,
    AlreadyCompleted,
    Lease,
    LeaseHeld,
    LeaseLost,
    ProcessingResult,
    SubjectBeingErased,
    TerminalState,
)
from vigil.drops.messages import Drop, InvalidMessage, S3Object
from vigil.drops.prediction import ReleaseAssignment
from vigil.errors import ConcurrentUpdate, ObjectNotFound, ObjectTooLarge, UnknownModel
from vigil.inference.types import (
    Model,
    Option,
    Prediction,
    Sighting,
    StageCallback,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@dataclass
class MemoryRecord:
    state: str
    owner: str
    until: datetime
    attempts: int
    stage: str = ""
    error: str = ""
    reason: str = ""
    message: str = ""
    release: str = ""
    dependency: str = ""
    result: ProcessingResult | None = None


@dataclass
class MemoryLedger:
    """Port Ledger."""

    records: dict[str, MemoryRecord] = field(default_factory=dict)
    sightings: dict[str, tuple[Sighting, ...]] = field(default_factory=dict)
    alerts: dict[str, tuple[Alert, int]] = field(default_factory=dict)
    windows: dict[tuple[str, str], UnknownSubjects] = field(default_factory=dict)
    suppressions: dict[tuple[str, str, str], datetime] = field(default_factory=dict)
    being_erased: set[str] = field(default_factory=set)
    max_items: int = 97

    def claim(
        self, drop: Drop | InvalidMessage, *, owner: str, now: datetime, until: datetime
    ) -> Lease | AlreadyCompleted | LeaseHeld:
        record = self.records.get(drop.id)
        if record is None:
            record = self.records[drop.id] = MemoryRecord("claimed", owner, now, 0)
        if record.state != "claimed":
            state: TerminalState = record.state  # type: ignore[assignment]
            return AlreadyCompleted(state)
        if now < record.until <= now + MAX_LEASE:
            return LeaseHeld(record.until)
        record.owner, record.until, record.attempts, record.error = owner, until, record.attempts + 1, ""
        return Lease(drop.id, owner, record.attempts, until)

    def renew(self, lease: Lease, *, stage: str, until: datetime) -> Lease:
        record = self._owned(lease)
        record.until, record.stage = until, stage
        return replace(lease, until=until)

    def release_lease(
        self,
        lease: Lease,
        *,
        stage: str,
        error: str,
        dependency: str | None,
        now: datetime,
        release: str = "",
    ) -> None:
        record = self.records[lease.drop_id]
        if record.state == "claimed" and record.owner == lease.owner:
            record.until, record.stage, record.error, record.release = now, stage, error, release
            record.dependency = dependency or ""

    def reject(self, lease: Lease, *, reason: str, message: str, stage: str, now: datetime) -> None:
        record = self._owned(lease)
        record.state, record.reason, record.message, record.stage = "rejected", reason, message, stage

    def quarantine(self, lease: Lease, *, reason: str, message: str, stage: str, now: datetime) -> None:
        record = self._owned(lease)
        record.state, record.reason, record.message, record.stage = "quarantined", reason, message, stage

    def alert_capacity(self, prediction: Prediction) -> int:
        people = {one.label for one in prediction.sightings if one.label.startswith("p-")}
        return max(0, self.max_items - len(prediction.sightings) - len(people))

    def save_result(self, lease: Lease, drop: Drop, result: ProcessingResult, *, now: datetime) -> None:
        record = self._owned(lease)
        if self.being_erased & {one.label for one in result.prediction.sightings}:
            raise SubjectBeingErased(drop.id)
        if result.unknown_subjects is not None and result.unknown_subjects.new_ids:
            window_key = (result.unknown_subjects.source, result.unknown_subjects.window)
            stored = self.windows.get(window_key)
            if result.unknown_subjects.revision != (stored.revision if stored else 0):
                raise ConcurrentUpdate("strangers changed")
            self.windows[window_key] = replace(
                result.unknown_subjects, revision=result.unknown_subjects.revision + 1, new_ids=()
            )
        record.state, record.result = "done", result
        self.sightings[drop.id] = result.prediction.sightings
        for alert in result.alerts:
            first, count = self.alerts.get(alert.id, (alert, 0))
            self.alerts[alert.id] = (first, count + 1)

    def is_suppressed(self, alert: Alert, *, now: datetime) -> bool:
        return self.suppressions.get((alert.rule, alert.subject, alert.source), now) > now

    def unknown_subjects(self, source: str, window: str) -> UnknownSubjects:
        return self.windows.get((source, window), no_subjects(source, window))

    def _owned(self, lease: Lease) -> MemoryRecord:
        record = self.records[lease.drop_id]
        if record.state != "claimed" or record.owner != lease.owner:
            raise LeaseLost(lease.drop_id)
        return record


@dataclass
class MemoryInputReader:
    """Port InputReader."""

    stored: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def fetch(self, item: S3Object, max_bytes: int) -> bytes:
        if (item.key, item.version) not in self.stored:
            raise ObjectNotFound("deleted before it was read")
        data = self.stored[item.key, item.version]
        if len(data) > max_bytes:
            raise ObjectTooLarge("too large")
        return data

    def with_version(self, item: S3Object) -> S3Object:
        versions = [version for key, version in self.stored if key == item.key]
        return item if item.version or not versions else replace(item, version=versions[-1])


@dataclass
class MemoryObjectStore:
    """Port Shelf: objects with all their versions, newest last; it counts what is put.

    putting  what happens meanwhile
    """

    versions: dict[str, list[bytes]] = field(default_factory=dict)
    put_count: int = 0
    before_put: Callable[[], None] = lambda: None

    def exists(self, key: str) -> bool:
        return key in self.versions

    def put_object(self, key: str, data: bytes) -> None:
        self.before_put()
        self.versions.setdefault(key, []).append(data)
        self.put_count += 1

    def get_object(self, key: str) -> bytes:
        return self.versions[key][-1]

    def list_folders(self, prefix: str) -> Iterable[str]:
        below = (key.removeprefix(f"{prefix}/") for key in self.versions if key.startswith(f"{prefix}/"))
        return sorted({key.split("/")[0] for key in below if "/" in key})

    def delete_all_versions(self, key: str, *, except_newest: bool = False) -> None:
        if except_newest:
            self.versions[key] = self.versions[key][-1:]
        else:
            self.versions.pop(key, None)


@dataclass
class FakeModel:
    """A model that returns a given prediction; `before` runs before each prediction."""

    prediction: Prediction
    name: str = "eye"
    release: str = "r1"
    max_bytes: int = 1000
    before_predict: Callable[[], None] = lambda: None
    received_options: list[Mapping[str, Option]] = field(default_factory=list)

    def predict(self, data: bytes, options: Mapping[str, Option], on_stage: StageCallback) -> Prediction:
        self.received_options.append(options)
        on_stage("predict")
        self.before_predict()
        return self.prediction


@dataclass
class SingleModel:
    """Port Models with one model."""

    model: FakeModel

    def get(self, name: str) -> Model:
        if name != self.model.name:
            raise UnknownModel(f"no model {name}")
        return self.model

    def assign(self, drop: Drop) -> ReleaseAssignment:
        return ReleaseAssignment(self.get(drop.model))


@dataclass
class FakeClock:
    """A clock that only moves when a test moves it."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
