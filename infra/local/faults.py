"""What can be made to go wrong in the local cloud, on purpose, and how often."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Faults:
    """How often each fault happens: rates are 0 to 1, services have boto3's names.

    Only what functions ask of AWS fails, and what AWS brings to them; the caller of this cloud is spared.

    throttles, errors   calls of a service that are refused; half of the errors come after the deed was done
    silences            calls that are done and never answered, by service
    kills               calls in which the worker is killed, half of them after the deed was done
    poison              part of a key: whoever reads such an object is killed by it, each time
    freezes, out_of_memory    invocations in which the worker stops for good, or takes too much memory
    skew_s              how far a new worker's clock may be off, either way
    corrupt             new workers whose copy of a layer's file is damaged, by path under /opt
    lost, doubled       S3's notifications that are never sent, or sent twice
    delayed, delay_s    messages of any queue that come late, and by how much at most
    reordered           messages that overtake others
    redelivered         messages that are handed out to two receivers at once
    stale               reads of a table that are answered as when the faults began
    """

    seed: int
    throttles: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)
    silences: Mapping[str, float] = field(default_factory=dict)
    kills: float = 0.0
    poison: str = ""
    freezes: float = 0.0
    out_of_memory: float = 0.0
    skew_s: float = 0.0
    corrupt: Mapping[str, float] = field(default_factory=dict)
    lost: float = 0.0
    doubled: float = 0.0
    delayed: float = 0.0
    delay_s: float = 3.0
    reordered: float = 0.0
    redelivered: float = 0.0
    stale: Mapping[str, float] = field(default_factory=dict)


class Dice:
    """Decisions that follow from the seed: the n-th one of a kind is the same in every run."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rolled: Counter[str] = Counter()
        self._lock = threading.Lock()

    def roll(self, kind: str) -> float:
        """The next number of a kind, 0 to 1."""
        with self._lock:
            number = self._rolled[kind]
            self._rolled[kind] += 1
        digest = hashlib.sha256(f"{self._seed} {kind} {number}".encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64

    def falls(self, kind: str, rate: float) -> bool:
        """Whether a thing that happens at this rate happens now."""
        return rate > 0 and self.roll(kind) < rate


class Trouble:
    """The faults in force, and how often each has happened."""

    def __init__(self) -> None:
        self.faults: Faults | None = None
        self.dice = Dice(0)
        self._happened: Counter[str] = Counter()
        self._lock = threading.Lock()

    def begin(self, faults: Faults) -> None:
        """From now on; counts go on."""
        self.dice, self.faults = Dice(faults.seed), faults

    def end(self) -> None:
        """No more."""
        self.faults = None

    def happens(self, kind: str, rate: float) -> bool:
        """Decide on one fault, and count it."""
        falls = self.dice.falls(kind, rate)
        if falls:
            self.count(kind)
        return falls

    def count(self, kind: str) -> None:
        """One more of a kind."""
        with self._lock:
            self._happened[kind] += 1

    @property
    def happened(self) -> dict[str, int]:
        """Faults by kind since the cloud started."""
        with self._lock:
            return dict(self._happened)
