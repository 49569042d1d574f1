"""Healthy and unlucky letters among poisonous ones that look alike: only those that kill by themselves are
set aside."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.memory import FakeClock
from tests.unit.reliability.test_run_triage import (
    FakeDeadLetterQueue,
    FakeTriage,
    dead_letter,
    drop,
)
from vigil.drops.ledger import Lease
from vigil.reliability.dead_letters import DeadLetter, Redrive
from vigil.reliability.triage import TriagePorts, run_triage

RECEIVES = 3
UNLUCKY = 3

drop_kinds = st.lists(st.sampled_from(["healthy", "unlucky", "poison", "failing"]), min_size=1, max_size=14)


@dataclass
class WorkedQueue(FakeDeadLetterQueue):
    """A queue whose letters are worked on in batches, as often as a message is received."""

    in_lane: list[DeadLetter] = field(default_factory=list)

    def redrive(self, decision: Redrive) -> None:
        back = replace(
            decision.dead_letter, redrives=decision.dead_letter.redrives + 1, suspect=decision.suspect
        )
        self.in_lane.append(back)


@given(drop_kinds, st.randoms(use_true_random=False), st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_every_healthy_letter_reaches_its_end_and_every_other_is_set_aside(kinds, chance, batch: int):
    """All died without a word the first time, in one stage: they have one fingerprint."""
    clinic, clock = FakeTriage(), FakeClock()
    names = {f"d{number}": kind for number, kind in enumerate(kinds)}
    lane = WorkedQueue([dead_letter(name) for name in names])
    for name in names:
        _kill_worker(clinic, name, clock)
    for _ in range(200):
        ward = TriagePorts(
            {"live": lane}, clinic, clinic, clinic, clinic.ledger, clinic, lambda _: True, clock
        )
        run_triage(ward, owner="triage", max_messages=100)
        for _ in range(RECEIVES):
            chance.shuffle(lane.in_lane)
            batches = [lane.in_lane[start : start + batch] for start in range(0, len(lane.in_lane), batch)]
            lane.in_lane = [left for part in batches for left in _work_batch(part, names, clinic, clock)]
            clock.advance(30)
        lane.letters += [replace(one, sent_at=clock()) for one in lane.in_lane]
        lane.in_lane = []
        if not lane.letters:
            break

    ends = {name: clinic.ledger.records[name].state for name in names}
    well = ("healthy", "unlucky")
    assert ends == {name: "rejected" if kind in well else "quarantined" for name, kind in names.items()}


def _work_batch(
    batch: Sequence[DeadLetter], names: dict[str, str], fake: FakeTriage, clock: FakeClock
) -> Sequence[DeadLetter]:
    """What comes back of a batch: a worker that dies keeps all that come after it from being worked on.

    The workers of an unlucky letter die three times, once before it is suspected and twice after.
    """
    back: list[DeadLetter] = []
    for number, one in enumerate(batch):
        ident = one.drops[0].id
        unlucky = names[ident] == "unlucky" and fake.ledger.records[ident].attempts < UNLUCKY
        if names[ident] == "poison" or unlucky:
            _kill_worker(fake, ident, clock)
            return [*back, *batch[number:]]
        claim = fake.ledger.claim(drop(ident), owner="w", now=clock(), until=clock())
        if not isinstance(claim, Lease):
            continue
        if names[ident] == "failing":
            fake.ledger.release_lease(claim, stage="predict", error="", dependency="model", now=clock())
            back.append(one)
        else:
            fake.ledger.reject(claim, reason="x", message="", stage="", now=clock())
    return back


def _kill_worker(fake: FakeTriage, ident: str, clock: FakeClock) -> None:
    """A worker takes a drop up, and is gone."""
    claim = fake.ledger.claim(drop(ident), owner="w", now=clock(), until=clock())
    assert isinstance(claim, Lease)
    fake.ledger.renew(claim, stage="predict", until=clock())
