"""Healthy and unlucky letters among poisonous ones that look alike: only those that kill by themselves are
set aside."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.flows.test_triage import Clinic, Queue, drop, letter
from tests.memory import Hands
from vigil.flow.triage import Ward, mend
from vigil.steady.ledger import Claim
from vigil.steady.letters import Letter, Redrive

RECEIVES = 3
UNLUCKY = 3

natures = st.lists(st.sampled_from(["healthy", "unlucky", "poison", "failing"]), min_size=1, max_size=14)


@dataclass
class Lane(Queue):
    """A queue whose letters are worked on in batches, as often as a message is received."""

    waiting: list[Letter] = field(default_factory=list)

    def send_back(self, deed: Redrive) -> None:
        back = replace(deed.letter, redrives=deed.letter.redrives + 1, suspicion=deed.suspicion)
        self.waiting.append(back)


@given(natures, st.randoms(use_true_random=False), st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_every_healthy_letter_reaches_its_end_and_every_other_is_set_aside(kinds, chance, batch: int):
    """All died without a word the first time, in one stage: they have one fingerprint."""
    clinic, clock = Clinic(), Hands()
    names = {f"d{number}": kind for number, kind in enumerate(kinds)}
    lane = Lane([letter(name) for name in names])
    for name in names:
        _die(clinic, name, clock)
    for _ in range(200):
        ward = Ward({"live": lane}, clinic, clinic, clinic, clinic.ledger, clinic, lambda _: True, clock)
        mend(ward, owner="triage", most=100)
        for _ in range(RECEIVES):
            chance.shuffle(lane.waiting)
            batches = [lane.waiting[start : start + batch] for start in range(0, len(lane.waiting), batch)]
            lane.waiting = [left for part in batches for left in _worked(part, names, clinic, clock)]
            clock.move(30)
        lane.letters += [replace(one, sent=clock()) for one in lane.waiting]
        lane.waiting = []
        if not lane.letters:
            break

    ends = {name: clinic.ledger.records[name].state for name in names}
    well = ("healthy", "unlucky")
    assert ends == {name: "rejected" if kind in well else "quarantined" for name, kind in names.items()}


def _worked(part: Sequence[Letter], names: dict[str, str], clinic: Clinic, clock: Hands) -> Sequence[Letter]:
    """What comes back of a batch: a worker that dies keeps all that come after it from being worked on.

    The workers of an unlucky letter die three times, once before it is suspected and twice after.
    """
    back: list[Letter] = []
    for number, one in enumerate(part):
        ident = one.drops[0].id
        unlucky = names[ident] == "unlucky" and clinic.ledger.records[ident].attempts < UNLUCKY
        if names[ident] == "poison" or unlucky:
            _die(clinic, ident, clock)
            return [*back, *part[number:]]
        claim = clinic.ledger.claim(drop(ident), owner="w", now=clock(), until=clock())
        if not isinstance(claim, Claim):
            continue
        if names[ident] == "failing":
            clinic.ledger.release(claim, stage="look", error="", now=clock())
            back.append(one)
        else:
            clinic.ledger.reject(claim, reason="x", message="", stage="", now=clock())
    return back


def _die(clinic: Clinic, ident: str, clock: Hands) -> None:
    """A worker takes a drop up, and is gone."""
    claim = clinic.ledger.claim(drop(ident), owner="w", now=clock(), until=clock())
    assert isinstance(claim, Claim)
    clinic.ledger.renew(claim, stage="look", until=clock())
