"""The world in memory: ports that keep what they are told, for flows and for contracts."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from vigil.drops import Drop, Misfit, Object
from vigil.errors import ObjectGone, ObjectTooLarge, UnknownModel
from vigil.seeing import Mark, Model, Option, Scene, Sighting
from vigil.steady.ledger import (
    LONGEST_LEASE,
    Claim,
    Departed,
    Held,
    LeaseLost,
    Overtaken,
    Result,
    Settled,
    Terminal,
)
from vigil.watch.alerts import Alert
from vigil.watch.strangers import Strangers, nobody

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@dataclass
class Record:
    state: str
    owner: str
    until: datetime
    attempts: int
    stage: str = ""
    error: str = ""
    reason: str = ""
    message: str = ""
    release: str = ""
    result: Result | None = None


@dataclass
class MemoryLedger:
    """Port Ledger."""

    records: dict[str, Record] = field(default_factory=dict)
    sightings: dict[str, tuple[Sighting, ...]] = field(default_factory=dict)
    alerts: dict[str, tuple[Alert, int]] = field(default_factory=dict)
    windows: dict[tuple[str, str], Strangers] = field(default_factory=dict)
    silences: dict[tuple[str, str, str], datetime] = field(default_factory=dict)
    departed: set[str] = field(default_factory=set)

    def claim(
        self, drop: Drop | Misfit, *, owner: str, now: datetime, until: datetime
    ) -> Claim | Settled | Held:
        record = self.records.get(drop.id)
        if record is None:
            record = self.records[drop.id] = Record("claimed", owner, now, 0)
        if record.state != "claimed":
            state: Terminal = record.state  # type: ignore[assignment]
            return Settled(state)
        if now < record.until <= now + LONGEST_LEASE:
            return Held(record.until)
        record.owner, record.until, record.attempts, record.error = owner, until, record.attempts + 1, ""
        return Claim(drop.id, owner, record.attempts, until)

    def renew(self, claim: Claim, *, stage: str, until: datetime) -> Claim:
        record = self._mine(claim)
        record.until, record.stage = until, stage
        return replace(claim, until=until)

    def release(
        self, claim: Claim, *, stage: str, error: str, now: datetime, model_release: str = ""
    ) -> None:
        record = self.records[claim.drop]
        if record.state == "claimed" and record.owner == claim.owner:
            record.until, record.stage, record.error, record.release = now, stage, error, model_release

    def reject(self, claim: Claim, *, reason: str, message: str, stage: str, now: datetime) -> None:
        record = self._mine(claim)
        record.state, record.reason, record.message, record.stage = "rejected", reason, message, stage

    def quarantine(self, claim: Claim, *, reason: str, message: str, stage: str, now: datetime) -> None:
        record = self._mine(claim)
        record.state, record.reason, record.message, record.stage = "quarantined", reason, message, stage

    def keep(self, claim: Claim, drop: Drop, result: Result, *, now: datetime) -> None:
        record = self._mine(claim)
        if self.departed & {one.label for one in result.scene.sightings}:
            raise Departed(drop.id)
        if result.strangers is not None:
            place = (result.strangers.source, result.strangers.window)
            stored = self.windows.get(place)
            if result.strangers.revision != (stored.revision if stored else 0):
                raise Overtaken("strangers changed")
            self.windows[place] = replace(result.strangers, revision=result.strangers.revision + 1)
        record.state, record.result = "done", result
        self.sightings[drop.id] = result.scene.sightings
        for alert in result.alerts:
            first, count = self.alerts.get(alert.id, (alert, 0))
            self.alerts[alert.id] = (first, count + 1)

    def silent(self, alert: Alert, *, now: datetime) -> bool:
        return self.silences.get((alert.rule, alert.subject, alert.source), now) > now

    def strangers(self, source: str, window: str) -> Strangers:
        return self.windows.get((source, window), nobody(source, window))

    def _mine(self, claim: Claim) -> Record:
        record = self.records[claim.drop]
        if record.state != "claimed" or record.owner != claim.owner:
            raise LeaseLost(claim.drop)
        return record


@dataclass
class MemoryObjects:
    """Port Objects."""

    held: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def fetch(self, item: Object, max_bytes: int) -> bytes:
        if (item.key, item.version) not in self.held:
            raise ObjectGone("deleted before it was read")
        data = self.held[item.key, item.version]
        if len(data) > max_bytes:
            raise ObjectTooLarge("too large")
        return data


@dataclass
class Books:
    """Port Shelf: objects with all their versions, newest last; it counts what is put.

    putting  what happens meanwhile
    """

    held: dict[str, list[bytes]] = field(default_factory=dict)
    puts: int = 0
    putting: Callable[[], None] = lambda: None

    def has(self, key: str) -> bool:
        return key in self.held

    def put(self, key: str, data: bytes) -> None:
        self.putting()
        self.held.setdefault(key, []).append(data)
        self.puts += 1

    def get(self, key: str) -> bytes:
        return self.held[key][-1]

    def folders(self, place: str) -> Iterable[str]:
        below = (key.removeprefix(f"{place}/") for key in self.held if key.startswith(f"{place}/"))
        return sorted({key.split("/")[0] for key in below if "/" in key})

    def shred(self, key: str, *, but_newest: bool = False) -> None:
        if but_newest:
            self.held[key] = self.held[key][-1:]
        else:
            self.held.pop(key, None)


@dataclass
class Eye:
    """A model that sees what it is told to; `before` runs where a real one would take its time."""

    scene: Scene
    name: str = "eye"
    release: str = "r1"
    suffixes: frozenset[str] = frozenset({".jpg"})
    max_bytes: int = 1000
    before: Callable[[], None] = lambda: None
    asked: list[Mapping[str, Option]] = field(default_factory=list)

    def see(self, data: bytes, options: Mapping[str, Option], mark: Mark) -> Scene:
        self.asked.append(options)
        mark("look")
        self.before()
        return self.scene


@dataclass
class OneModel:
    """Port Models, with one model in it."""

    model: Eye

    def get(self, name: str) -> Model:
        if name != self.model.name:
            raise UnknownModel(f"no model {name}")
        return self.model


@dataclass
class Hands:
    """A clock that stands still until it is told to move."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
