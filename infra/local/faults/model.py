"""What can be made to go wrong in the local cloud, on purpose, and how often."""

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
    """How often each fault happens: rates are 0 to 1, services have boto3's names.

    Only what functions ask of AWS fails, and what AWS brings to them; the caller of this cloud is spared.

    throttles, errors   calls of a service that are refused; half of the errors come after the deed was done
    hangs               calls that are done and never answered, by service
    kills               calls in which the worker is killed, half of them after the deed was done
    poison              part of a key: whoever reads such an object is killed by it, each time
    freezes, out_of_memory
                        invocations in which the worker stops for good, or takes too much memory
    max_clock_skew_s    how far a new worker's clock may be off, either way
    corrupt_files       new workers whose copy of a layer's file is damaged, by path under /opt
    lost_notifications, duplicate_notifications
                        S3's notifications that are never sent, or sent twice
    delayed_messages, max_delay_s
                        messages of any queue that come late, and by how much at most
    reordered_messages  messages that overtake others
    redelivered_messages
                        messages that are handed out to two receivers at once
    stale_reads         reads of a table that are answered as when the faults began
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
    """Decisions that follow from the seed: the n-th one of a kind is the same in every run."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._draw_counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def draw(self, kind: str) -> float:
        """The next number of a kind, 0 to 1."""
        with self._lock:
            number = self._draw_counts[kind]
            self._draw_counts[kind] += 1
        digest = hashlib.sha256(f"{self._seed} {kind} {number}".encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64

    def occurs(self, kind: str, rate: float) -> bool:
        """Whether a thing that happens at this rate happens now."""
        return rate > 0 and self.draw(kind) < rate


class FaultInjector:
    """The faults in force, and how often each has happened."""

    def __init__(self) -> None:
        self.faults: Faults | None = None
        self.random = SeededRandom(0)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def begin(self, faults: Faults) -> None:
        """From now on; counts go on."""
        self.random, self.faults = SeededRandom(faults.seed), faults

    def end(self) -> None:
        """No more."""
        self.faults = None

    def inject(self, kind: str, rate: float) -> bool:
        """Decide on one fault, and count it."""
        occurs = self.random.occurs(kind, rate)
        if occurs:
            self.record(kind)
        return occurs

    def record(self, kind: str) -> None:
        """One more of a kind."""
        with self._lock:
            self._counts[kind] += 1

    @property
    def counts(self) -> dict[str, int]:
        """Faults by kind since the cloud started."""
        with self._lock:
            return dict(self._counts)


# MERGED: Switches faults on and off in both of the cloud's processes, and counts what happened in them.


class FaultControl:
    """What is asked of AWS fails in moto's process; what befalls workers is decided in ours."""

    def __init__(self, moto: MotoServer, fault_injector: FaultInjector) -> None:
        self._moto = moto
        self._fault_injector = fault_injector

    def begin(self, faults: Faults) -> None:
        """From now on these go wrong, and no others, until `end`."""
        self._moto.run_command("begin-faults", dataclasses.asdict(faults))
        self._fault_injector.begin(faults)

    def end(self) -> None:
        """Nothing goes wrong any more; what is on its way to go wrong may still do so."""
        self._moto.run_command("end-faults")
        self._fault_injector.end()

    @property
    def counts(self) -> dict[str, int]:
        """How often each fault has happened."""
        return {**self._moto.run_command("fault-counts"), **self._fault_injector.counts}
