"""Fault injection: the rates of faults, random decisions, counts and control."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.local.moto_.server import MotoServer


@dataclass(frozen=True, slots=True)
class Faults:
    """The rate of each fault, from 0 to 1; services have boto3's names.

    Faults affect calls and workers of functions, and messages; calls of the cloud's own clients do not fail.

    throttles, errors   failing calls by service; half of the errors follow after the call was executed
    hangs               calls that are executed but never answered, by service
    kills               calls during which the worker is killed, half of them after they were executed
    poison              part of an object key: a worker that reads such an object is killed
    freezes, out_of_memory
                        invocations whose worker freezes or exceeds its memory
    max_clock_skew_s    limit of the random offset of a new worker's clock, in both directions
    corrupt_files       new workers with a damaged copy of a layer's file, by path below /opt
    lost_notifications, duplicate_notifications
                        S3 notifications that are not sent, or sent twice
    delayed_messages, max_delay_s
                        messages that become visible late, and the largest delay
    reordered_messages  messages that are received before older ones
    redelivered_messages
                        messages that two receivers get at once
    stale_reads         reads that return the first result since the faults began, by table
    """

    seed: int
    throttles: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)
    hangs: Mapping[str, float] = field(default_factory=dict)
    kills: float = 0.0
    poison: str = ""
    freezes: float = 0.0
    out_of_memory: float = 0.0
    max_clock_skew_s: float = 0.0
    corrupt_files: Mapping[str, float] = field(default_factory=dict)
    lost_notifications: float = 0.0
    duplicate_notifications: float = 0.0
    delayed_messages: float = 0.0
    max_delay_s: float = 3.0
    reordered_messages: float = 0.0
    redelivered_messages: float = 0.0
    stale_reads: Mapping[str, float] = field(default_factory=dict)


class SeededRandom:
    """Random numbers by seed and kind: the n-th number of a kind is the same in every run."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._draw_counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def draw(self, kind: str) -> float:
        """Return the next number of a kind, from 0 to 1."""
        with self._lock:
            number = self._draw_counts[kind]
            self._draw_counts[kind] += 1
        digest = hashlib.sha256(f"{self._seed} {kind} {number}".encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64

    def occurs(self, kind: str, rate: float) -> bool:
        """Whether an event with this rate occurs now."""
        return rate > 0 and self.draw(kind) < rate


class FaultInjector:
    """The active faults and their counts."""

    def __init__(self) -> None:
        self.faults: Faults | None = None
        self.random = SeededRandom(0)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def begin(self, faults: Faults) -> None:
        """Activate faults; the counts continue."""
        self.random, self.faults = SeededRandom(faults.seed), faults

    def end(self) -> None:
        """Deactivate all faults."""
        self.faults = None

    def inject(self, kind: str, rate: float) -> bool:
        """Decide whether a fault occurs, and count it if so."""
        occurs = self.random.occurs(kind, rate)
        if occurs:
            self.record(kind)
        return occurs

    def record(self, kind: str) -> None:
        """Count one fault."""
        with self._lock:
            self._counts[kind] += 1

    @property
    def counts(self) -> dict[str, int]:
        """Number of faults by kind since the cloud started."""
        with self._lock:
            return dict(self._counts)


class FaultControl:
    """Controls fault injection in moto's process (calls, messages) and in this one (workers)."""

    def __init__(self, moto: MotoServer, fault_injector: FaultInjector) -> None:
        self._moto = moto
        self._fault_injector = fault_injector

    def begin(self, faults: Faults) -> None:
        """Inject these faults, and no others, until `end`."""
        self._moto.run_command("begin-faults", dataclasses.asdict(faults))
        self._fault_injector.begin(faults)

    def end(self) -> None:
        """Inject no more faults; delayed ones may still happen."""
        self._moto.run_command("end-faults")
        self._fault_injector.end()

    @property
    def counts(self) -> dict[str, int]:
        """Number of faults by kind in both processes."""
        return {**self._moto.run_command("fault-counts"), **self._fault_injector.counts}
