"""Dead letters mended: read, decide, write down why, act. None leaves its queue without a ledger line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol, assert_never

from vigil.drops import Drop, Misfit
from vigil.ports import Clock
from vigil.steady.ledger import Claim, Held, Ledger, Settled
from vigil.steady.letters import Alert, Case, Decision, Discard, Letter, Quarantine, Redrive, Wait
from vigil.steady.record import Records
from vigil.steady.triage import Look, Pace, triage

FORGOTTEN = timedelta(days=14)
"""As long as SQS keeps a dead letter: no case is older than its last letter can be."""

_LEASE = timedelta(minutes=1)


class DeadLetters(Protocol):
    """One lane's dead-letter queue. All raise Transient."""

    def receive(self, most: int) -> Sequence[Letter]:
        """So many letters, hidden from others for a while."""

    def send_back(self, letter: Letter, *, tried: int) -> None:
        """Into its lane, one redrive and so many attempts to its name; at least once."""

    def delete(self, letter: Letter) -> None:
        """For good."""


class Diary(Protocol):
    """The ledger's lines beside a drop's record."""

    def note(self, drop: str, *, deed: str, why: str, now: datetime) -> None:
        """What was done with a drop's message, and why."""


class Cases(Protocol):
    """Triage's memory, by fingerprint id."""

    def load(self) -> Mapping[str, Case]: ...
    def save(self, cases: Mapping[str, Case]) -> None: ...


class Operators(Protocol):
    """The people who keep this running."""

    def tell(self, alert: Alert) -> None: ...


@dataclass(frozen=True, slots=True)
class Ward:
    """All that triage needs; `letters` by lane."""

    letters: Mapping[str, DeadLetters]
    records: Records
    diary: Diary
    cases: Cases
    ledger: Ledger
    operators: Operators
    healthy: Callable[[str], bool]
    clock: Clock
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True)
class Round:
    """What one run came to."""

    letters: int = 0
    redriven: int = 0
    quarantined: int = 0
    discarded: int = 0
    waiting: int = 0
    new_faults: int = 0


def mend(ward: Ward, *, owner: str, most: int) -> Round:
    """One run over at most so many letters a lane. A crash in it repeats work; it loses none."""
    letters = [letter for queue in ward.letters.values() for letter in queue.receive(most)]
    cases = {ident: case for ident, case in ward.cases.load().items() if _recent(case, ward.clock())}
    wanted = {drop.id for letter in letters for drop in letter.drops} | {
        case.canary for case in cases.values()
    }
    look = Look(ward.records.read(wanted - {""}), ward.healthy, ward.clock(), ward.pace)
    decisions, after = triage(letters, cases, look)
    done = Round(letters=len(letters))
    for decision in decisions:
        done = act(decision, ward, owner, done)
    ward.cases.save(after)
    return done


def act(decision: Decision, ward: Ward, owner: str, done: Round) -> Round:
    """Carry one decision out, triage's or a person's: first the ledger's line, then the deed."""
    match decision:
        case Alert():
            ward.operators.tell(decision)
            return replace(done, new_faults=done.new_faults + 1)
        case Redrive(letter, why, tried):
            _note(letter.drops, "redriven", why, ward)
            ward.letters[letter.lane].send_back(letter, tried=tried)
            ward.letters[letter.lane].delete(letter)
            return replace(done, redriven=done.redriven + 1)
        case Quarantine(letter, drops, _, _, why):
            _note(drops, "quarantined", why, ward)
            if _set_aside(decision, ward, owner) and drops == letter.drops:
                ward.letters[letter.lane].delete(letter)
            return replace(done, quarantined=done.quarantined + 1)
        case Discard(letter, why):
            _note(letter.drops, "discarded", why, ward)
            ward.letters[letter.lane].delete(letter)
            return replace(done, discarded=done.discarded + 1)
        case Wait():
            return replace(done, waiting=done.waiting + 1)
        case _:
            assert_never(decision)


def _set_aside(decision: Quarantine, ward: Ward, owner: str) -> bool:
    """Whether all its drops have their end now; a worker may have taken one up in between."""
    return all(_quarantine(drop, decision, ward, owner) for drop in decision.drops)


def _quarantine(drop: Drop | Misfit, decision: Quarantine, ward: Ward, owner: str) -> bool:
    now = ward.clock()
    answer = ward.ledger.claim(drop, owner=owner, now=now, until=now + _LEASE)
    match answer:
        case Settled():
            return True
        case Held():
            return False
        case Claim():
            ward.ledger.quarantine(
                answer, reason=decision.reason, message=decision.why, stage=decision.stage, now=now
            )
            return True


def _note(drops: Sequence[Drop | Misfit], deed: str, why: str, ward: Ward) -> None:
    for drop in drops:
        ward.diary.note(drop.id, deed=deed, why=why, now=ward.clock())


def _recent(case: Case, now: datetime) -> bool:
    return now - case.since < FORGOTTEN
