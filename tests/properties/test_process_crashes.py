"""Processing one drop while workers are killed, delayed and overtaken at any step.

A script says what happens at each call to the ledger: go on, die before it, die after it, see the store
fail before or after it, sleep past the lease, or have another worker do the same drop in between.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, repeat
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.memory import (
    NOON,
    FakeClock,
    FakeModel,
    MemoryInputReader,
    SingleModel,
)
from tests.properties.ledger_backends import DynamoBackend, MemoryBackend, mocked_aws
from tests.properties.ledger_backends import LedgerBackend as Outbox
from vigil.alerts.rules import default_rules
from vigil.drops.messages import Drop, S3Object
from vigil.drops.process import Invocation, ProcessingPorts, process_drop
from vigil.errors import Transient
from vigil.inference.types import Prediction, Sighting

LEASE = timedelta(seconds=20)
PHOTO = S3Object("photos", "live/eye/vault/a.jpg", "v1")
UNKNOWN = Sighting("unknown", "unknown", vector=np.array([1, 0], np.float32), same_subject_threshold=0.9)
WATCH_LISTED = Sighting("p-1", "known", 0.9, tags=frozenset({"watch"}))
PREDICTION = Prediction((WATCH_LISTED, UNKNOWN), found=2)

steps = st.sampled_from(
    ["go", "go", "die-before", "die-after", "fail-before", "fail-after", "sleep", "other"]
)
scripts = st.lists(steps, max_size=12)


class Killed(BaseException):
    """The runtime's SIGKILL: nothing in a worker may catch it, and nothing runs after it."""


@dataclass
class FaultyLedger:
    """The ledger with a script for its calls; the calls of a dead worker do nothing."""

    ledger: Any
    script: Iterator[str]
    clock: FakeClock
    run_other_worker: Callable[[], None]
    dead: bool = False

    def alert_capacity(self, prediction: Prediction) -> int:
        return int(self.ledger.alert_capacity(prediction))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **more: self._call(getattr(self.ledger, name), *args, **more)

    def _call(self, operation: Callable[..., Any], *args: Any, **more: Any) -> Any:
        step = next(self.script)
        if self.dead or step == "die-before":
            self.dead = True
            raise Killed
        if step == "fail-before":
            raise Transient("away", dependency="records", operation="save result")
        if step == "sleep":
            self.clock.advance(25)
        if step == "other":
            self.run_other_worker()
        answer = operation(*args, **more)
        if step == "fail-after":
            raise Transient("no answer", dependency="records", operation="save result")
        if step == "die-after":
            self.dead = True
            raise Killed
        return answer


class CrashingWorkers:
    """One drop with a listed and an unknown person; as many workers as the script needs."""

    def __init__(self, backend: Outbox, script: list[str]) -> None:
        self.backend, self.clock, self.names = backend, FakeClock(), 0
        self.script = chain(script, repeat("go"))
        self.objects = MemoryInputReader({(PHOTO.key, "v1"): b"photo"})
        self.done = 0

    def run_worker(self) -> None:
        """One delivery of the message."""
        self.names += 1
        if self.names > 40:
            return
        ledger = FaultyLedger(self.backend.ledger, self.script, self.clock, self.run_worker)
        ports = ProcessingPorts(
            ledger, self.objects, SingleModel(FakeModel(PREDICTION)), default_rules, self.clock
        )
        invocation = Invocation(f"w{self.names}", self.clock() + LEASE, LEASE)
        try:
            result = process_drop(Drop("d1", "eye", "vault", PHOTO, NOON), ports, invocation)
        except (Killed, Transient):
            return
        self.done += result.outcome == "done"

    def run_until_acknowledged(self) -> list[str]:
        """Deliver until the message is acknowledged; the ids of all published events."""
        for _ in range(20):
            self.run_worker()
            self.clock.advance(200)
        return self.backend.new_event_ids()


@given(scripts)
@settings(max_examples=300, deadline=None)
def test_in_memory_a_drop_is_completed_once_under_any_script(script: list[str]):
    check(CrashingWorkers(MemoryBackend(), script))


@given(scripts)
@settings(max_examples=15, deadline=None)
def test_on_dynamodb_a_drop_is_completed_once_under_any_script(script: list[str]):
    with mocked_aws():
        check(CrashingWorkers(DynamoBackend(), script))


@pytest.mark.parametrize("call", range(8))
@pytest.mark.parametrize("step", ["die-before", "die-after", "fail-before", "fail-after", "sleep", "other"])
def test_a_drop_is_completed_once_with_any_single_fault(step: str, call: int):
    check(CrashingWorkers(MemoryBackend(), ["go"] * call + [step]))


def check(workers: CrashingWorkers) -> None:
    """One result, published once; one alert for the listed and one for the unknown person."""
    published = workers.run_until_acknowledged()

    assert [event for event in published if "." in event] == ["d1.done"]
    assert len([event for event in published if "." not in event]) == 2
    assert workers.done <= 1
