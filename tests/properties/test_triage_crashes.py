"""Triage killed at any step of any run: no letter leaves without a line, and none without a way forward."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.flows.test_triage import Clinic, Queue, drop
from tests.memory import NOON, Hands
from vigil.drops import drop_id
from vigil.flow.triage import Ward, mend
from vigil.steady.ledger import Claim
from vigil.steady.letters import Letter, Redrive

fates = st.sampled_from(["away", "bug", "died", "done", "unclaimed"])
ERRORS = {"away": "Transient: read object: x", "bug": "ZeroDivisionError: x", "died": ""}
Fates = list[list[str]]
"""What happened to each drop of each letter; a letter of S3's test event has none."""


class Killed(BaseException):
    """Nothing runs after it."""


@dataclass
class Fragile(Queue):
    """Kills triage before or after one of its calls; a letter that was sent is one in the lane."""

    calls_left: int = 10**9
    after: bool = False
    lane: list[Letter] = field(default_factory=list)

    def send_back(self, deed: Redrive) -> None:
        back = replace(deed.letter, redrives=deed.letter.redrives + 1, suspicion=deed.suspicion)
        self._fragile(lambda: self.lane.append(back))

    def delete(self, letter: Letter) -> None:
        self._fragile(lambda: self.letters.remove(letter))

    def _fragile(self, deed) -> None:
        self.calls_left -= 1
        if self.calls_left == 0 and not self.after:
            raise Killed
        deed()
        if self.calls_left == 0:
            raise Killed


def clinic_of(kinds: Fates) -> Clinic:
    clinic = Clinic()
    for ident, kind in drops_of(kinds):
        if kind == "unclaimed":
            continue
        claim = clinic.ledger.claim(drop(ident), owner="w", now=NOON, until=NOON)
        assert isinstance(claim, Claim)
        if kind == "done":
            clinic.ledger.reject(claim, reason="x", message="", stage="", now=NOON)
        else:
            clinic.ledger.release(claim, stage="look", error=ERRORS[kind], now=NOON)
    return clinic


def drops_of(kinds: Fates) -> Iterator[tuple[str, str]]:
    for number, fated in enumerate(kinds):
        yield from ((f"d{number}-{place}", kind) for place, kind in enumerate(fated))


def letters_of(kinds: Fates) -> list[Letter]:
    return [
        Letter(
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
    clinic, queue = clinic_of(kinds), Fragile(letters_of(kinds))
    clock = Hands()
    runs = [*deaths, *[(10**9, False)] * 30]
    for calls_left, after in runs:
        queue.calls_left, queue.after = calls_left, after
        ward = Ward({"live": queue}, clinic, clinic, clinic, clinic.ledger, clinic, lambda _: True, clock)
        with suppress(Killed):
            mend(ward, owner="triage", most=100)
        check(clinic, queue, kinds)
        work(clinic, queue, clock, mends=mends)
        clock.move(3600)

    assert queue.letters == [] or not mends
    check(clinic, queue, kinds)


def check(clinic: Clinic, queue: Fragile, kinds: Fates) -> None:
    noted = {who for who, _, _ in clinic.notes}
    dead = {one.id for one in queue.letters}
    held = {drop.id for one in [*queue.letters, *queue.lane] for drop in one.drops}
    for ident, _ in drops_of(kinds):
        record = clinic.ledger.records.get(ident)
        settled = record is not None and record.state != "claimed"
        assert settled or ident in held, "a drop without an end and without a message"
    for letter in letters_of(kinds):
        lines = {drop.id for drop in letter.drops} or {drop_id("message", letter.id)}
        assert letter.id in dead or lines <= noted, "left without a line"


def work(clinic: Clinic, queue: Fragile, clock: Hands, *, mends: bool) -> None:
    """The lane takes what was sent back: to its end, or into the dead letters once more."""
    for sent in queue.lane:
        answers = [_tried(clinic, one.id, clock, mends=mends) for one in sent.drops]
        if not all(answers):
            queue.letters.append(sent)
    queue.lane = []


def _tried(clinic: Clinic, ident: str, clock: Hands, *, mends: bool) -> bool:
    """Whether the drop has its end now."""
    claim = clinic.ledger.claim(drop(ident), owner="w", now=clock(), until=clock() + timedelta(seconds=9))
    if not isinstance(claim, Claim):
        return True
    if mends:
        clinic.ledger.reject(claim, reason="x", message="", stage="", now=clock())
    else:
        clinic.ledger.release(claim, stage="look", error="Transient: read object: x", now=clock())
    return mends
