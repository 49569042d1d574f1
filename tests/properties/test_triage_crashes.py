"""Triage killed at any step of any run: no letter leaves without a line, and none without a way forward."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.memory import NOON, FakeClock
from tests.unit.reliability.test_run_triage import FakeDeadLetterQueue, FakeTriage, drop
from vigil.drops.ledger import Lease
from vigil.drops.messages import compute_drop_id
from vigil.reliability.dead_letters import DeadLetter, Redrive
from vigil.reliability.triage import TriagePorts, run_triage

fates = st.sampled_from(["away", "bug", "died", "done", "unclaimed"])
ERRORS = {"away": "Transient: read object: x", "bug": "ZeroDivisionError: x", "died": ""}
Fates = list[list[str]]
"""What happened to each drop of each letter; a letter of S3's test event has none."""


class Killed(BaseException):
    """Nothing runs after it."""


@dataclass
class CrashingQueue(FakeDeadLetterQueue):
    """Kills triage before or after one of its calls; a letter that was sent is one in the lane."""

    calls_left: int = 10**9
    after: bool = False
    lane: list[DeadLetter] = field(default_factory=list)

    def redrive(self, decision: Redrive) -> None:
        back = replace(
            decision.dead_letter, redrives=decision.dead_letter.redrives + 1, suspect=decision.suspect
        )
        self._crash_when_due(lambda: self.lane.append(back))

    def delete(self, letter: DeadLetter) -> None:
        self._crash_when_due(lambda: self.letters.remove(letter))

    def _crash_when_due(self, action) -> None:
        self.calls_left -= 1
        if self.calls_left == 0 and not self.after:
            raise Killed
        action()
        if self.calls_left == 0:
            raise Killed


def fake_triage_of(kinds: Fates) -> FakeTriage:
    clinic = FakeTriage()
    for ident, kind in drops_of(kinds):
        if kind == "unclaimed":
            continue
        claim = clinic.ledger.claim(drop(ident), owner="w", now=NOON, until=NOON)
        assert isinstance(claim, Lease)
        if kind == "done":
            clinic.ledger.reject(claim, reason="x", message="", stage="", now=NOON)
        else:
            clinic.ledger.release_lease(
                claim, stage="predict", error=ERRORS[kind], dependency="photos", now=NOON
            )
    return clinic


def drops_of(kinds: Fates) -> Iterator[tuple[str, str]]:
    for number, fated in enumerate(kinds):
        yield from ((f"d{number}-{place}", kind) for place, kind in enumerate(fated))


def dead_letters_of(kinds: Fates) -> list[DeadLetter]:
    return [
        DeadLetter(
            f"m{n}", "live", "{}", "r", NOON, 0, tuple(drop(f"d{n}-{place}") for place in range(len(fated)))
        )
        for n, fated in enumerate(kinds)
    ]


@given(
    st.lists(st.lists(fates, max_size=3), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=4),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_no_letter_is_lost_whenever_triage_dies(kinds: Fates, deaths: list[tuple[int, bool]], mends: bool):
    """`mends`: whether the lane answers what is sent back to it, or fails it once more."""
    clinic, queue = fake_triage_of(kinds), CrashingQueue(dead_letters_of(kinds))
    clock = FakeClock()
    runs = [*deaths, *[(10**9, False)] * 30]
    for calls_left, after in runs:
        queue.calls_left, queue.after = calls_left, after
        ward = TriagePorts(
            {"live": queue}, clinic, clinic, clinic, clinic.ledger, clinic, lambda _: True, clock
        )
        with suppress(Killed):
            run_triage(ward, owner="triage", max_messages=100)
        check(clinic, queue, kinds)
        process_lane(clinic, queue, clock, succeeds=mends)
        clock.advance(3600)

    assert queue.letters == [] or not mends
    check(clinic, queue, kinds)


def check(fake: FakeTriage, queue: CrashingQueue, kinds: Fates) -> None:
    noted = {who for who, _, _ in fake.notes}
    dead = {one.id for one in queue.letters}
    held = {drop.id for one in [*queue.letters, *queue.lane] for drop in one.drops}
    for ident, _ in drops_of(kinds):
        record = fake.ledger.records.get(ident)
        settled = record is not None and record.state != "claimed"
        assert settled or ident in held, "a drop without an end and without a message"
    for letter in dead_letters_of(kinds):
        lines = {drop.id for drop in letter.drops} or {compute_drop_id("message", letter.id)}
        assert letter.id in dead or lines <= noted, "left without a line"


def process_lane(fake: FakeTriage, queue: CrashingQueue, clock: FakeClock, *, succeeds: bool) -> None:
    """The lane takes what was sent back: to its end, or into the dead letters once more."""
    for sent in queue.lane:
        answers = [_attempt(fake, one.id, clock, succeeds=succeeds) for one in sent.drops]
        if not all(answers):
            queue.letters.append(sent)
    queue.lane = []


def _attempt(fake: FakeTriage, ident: str, clock: FakeClock, *, succeeds: bool) -> bool:
    """Whether the drop has its end now."""
    claim = fake.ledger.claim(drop(ident), owner="w", now=clock(), until=clock() + timedelta(seconds=9))
    if not isinstance(claim, Lease):
        return True
    if succeeds:
        fake.ledger.reject(claim, reason="x", message="", stage="", now=clock())
    else:
        fake.ledger.release_lease(
            claim, stage="predict", error="Transient: read object: x", dependency="photos", now=clock()
        )
    return succeeds
