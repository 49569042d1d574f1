"""The way of one drop with workers killed, delayed and overtaken at any step of it.

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

from tests.memory import NOON, Eye, Hands, MemoryObjects, OneModel
from tests.properties.worlds import DynamoWorld, MemoryWorld, aws
from tests.properties.worlds import World as Outbox
from vigil.drops import Drop, Object
from vigil.errors import Transient
from vigil.flow.process import Shift, World, process
from vigil.seeing import Scene, Sighting
from vigil.watch.rules import default_watch

LEASE = timedelta(seconds=20)
PHOTO = Object("photos", "live/eye/vault/a.jpg", "v1")
STRANGER = Sighting("unknown", "unknown", vector=np.array([1, 0], np.float32), same_as=0.9)
LISTED = Sighting("p-1", "known", 0.9, tags=frozenset({"watch"}))
SEEN = Scene((LISTED, STRANGER), found=2)

steps = st.sampled_from(
    ["go", "go", "die-before", "die-after", "fail-before", "fail-after", "sleep", "other"]
)
scripts = st.lists(steps, max_size=12)


class Killed(BaseException):
    """The runtime's SIGKILL: nothing in a worker may catch it, and nothing runs after it."""


@dataclass
class Storm:
    """The ledger, with a script for its calls. A dead worker's calls do nothing: it is dead."""

    ledger: Any
    script: Iterator[str]
    clock: Hands
    another: Callable[[], None]
    dead: bool = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **more: self._call(getattr(self.ledger, name), *args, **more)

    def _call(self, deed: Callable[..., Any], *args: Any, **more: Any) -> Any:
        step = next(self.script)
        if self.dead or step == "die-before":
            self.dead = True
            raise Killed
        if step == "fail-before":
            raise Transient("store away")
        if step == "sleep":
            self.clock.move(25)
        if step == "other":
            self.another()
        answer = deed(*args, **more)
        if step == "fail-after":
            raise Transient("no answer from the store")
        if step == "die-after":
            self.dead = True
            raise Killed
        return answer


class Town:
    """One drop that shows a listed person and a stranger; as many workers as the script calls for."""

    def __init__(self, outbox: Outbox, script: list[str]) -> None:
        self.outbox, self.clock, self.names = outbox, Hands(), 0
        self.script = chain(script, repeat("go"))
        self.objects = MemoryObjects({(PHOTO.key, "v1"): b"photo"})
        self.done = 0

    def worker(self) -> None:
        """One delivery of the message."""
        self.names += 1
        if self.names > 40:
            return
        storm = Storm(self.outbox.ledger, self.script, self.clock, self.worker)
        world = World(storm, self.objects, OneModel(Eye(SEEN)), default_watch, self.clock)
        shift = Shift(f"w{self.names}", self.clock() + LEASE, LEASE)
        try:
            verdict = process(Drop("d1", "eye", "vault", PHOTO, NOON), world, shift)
        except (Killed, Transient):
            return
        self.done += verdict.outcome == "done"

    def until_quiet(self) -> list[str]:
        """Deliver until the message is answered; all that subscribers hear."""
        for _ in range(20):
            self.worker()
            self.clock.move(200)
        return self.outbox.news()


@given(scripts)
@settings(max_examples=300, deadline=None)
def test_in_memory_one_drop_has_one_end_whatever_happens(script: list[str]):
    check(Town(MemoryWorld(), script))


@given(scripts)
@settings(max_examples=15, deadline=None)
def test_on_dynamodb_one_drop_has_one_end_whatever_happens(script: list[str]):
    with aws():
        check(Town(DynamoWorld(), script))


@pytest.mark.parametrize("call", range(8))
@pytest.mark.parametrize("step", ["die-before", "die-after", "fail-before", "fail-after", "sleep", "other"])
def test_each_step_alone_does_no_harm(step: str, call: int):
    check(Town(MemoryWorld(), ["go"] * call + [step]))


def check(town: Town) -> None:
    """One result, told once; one alert for the listed person and one for the stranger."""
    told = town.until_quiet()

    assert [event for event in told if "." in event] == ["d1.done"]
    assert len([event for event in told if "." not in event]) == 2
    assert town.done <= 1
