"""Dead letters mended: read, decide, write down why, act. None leaves its queue without a ledger line."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol, assert_never

from vigil.drops import Drop, Misfit
from vigil.flow.leaving import DeadLetters, Diary, note, put_away, send_back
from vigil.ports import Clock
from vigil.steady.ledger import Claim, Held, Ledger, Settled
from vigil.steady.letters import Alert, Case, Decision, Discard, Letter, Quarantine, Redrive, Wait
from vigil.steady.record import Records
from vigil.steady.triage import Look, Pace, triage

FORGOTTEN = timedelta(days=14)
"""As long as SQS keeps a dead letter: no case is older than its last letter can be."""

_LEASE = timedelta(minutes=1)


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


Deed = Literal["redriven", "quarantined", "discarded", "waiting", "new_faults"]


@dataclass(frozen=True, slots=True)
class Round:
    """What one run came to, and how many letters each reason was of."""

    letters: int = 0
    redriven: int = 0
    quarantined: int = 0
    discarded: int = 0
    waiting: int = 0
    new_faults: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)

    def and_(self, deed: Deed, why: str) -> "Round":
        reasons = dict(Counter(self.reasons) + Counter([f"{deed}: {why}"]))
        return replace(self, **{deed: getattr(self, deed) + 1, "reasons": reasons})


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
    """Carry one decision out, triage's or a person's."""
    match decision:
        case Alert(case):
            ward.operators.tell(decision)
            return done.and_("new_faults", case.fingerprint.text)
        case Redrive(letter, why):
            send_back(decision, ward.letters[letter.lane], ward.diary, ward.clock())
            return done.and_("redriven", why)
        case Quarantine(why=why) if not _set_aside(decision, ward, owner):
            return done.and_("waiting", f"a worker took it up meanwhile; {why}")
        case Quarantine(letter, drops, _, _, why) if drops != letter.drops:
            note(letter, drops, ward.diary, deed="quarantined", why=why, now=ward.clock())
            return done.and_("quarantined", why)
        case Quarantine(letter=letter, why=why):
            return _left(letter, "quarantined", why, ward, done)
        case Discard(letter, why):
            return _left(letter, "discarded", why, ward, done)
        case Wait(_, why):
            return done.and_("waiting", why)
        case _:
            assert_never(decision)


def _left(letter: Letter, deed: Deed, why: str, ward: Ward, done: Round) -> Round:
    queue = ward.letters[letter.lane]
    put_away(letter, queue, deed=deed, why=why, diary=ward.diary, now=ward.clock())
    return done.and_(deed, why)


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


def _recent(case: Case, now: datetime) -> bool:
    return now - case.since < FORGOTTEN
