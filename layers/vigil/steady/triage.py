"""Dead letters and what the ledger knows of them, turned into what is done with each, and why.

Whatever the fault, one letter goes first, as a canary. If it reaches its end, the others follow at a
limited rate. If it comes back, a fault that time may mend is tried again later and later. A bug, or an
input that kills its worker, is another matter: what looks alike need not be alike, so each letter is
judged by itself. It is sent back under suspicion; only if its own drop is then taken up again and fails
again, so often that chance cannot be why, is that drop quarantined. The more canaries failed, the more of
the others are tried at once, up to a few, and apart, so that none goes down with another.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from vigil.drops import Drop, Misfit
from vigil.steady.fingerprint import DIED, fingerprint
from vigil.steady.letters import (
    Alert,
    Case,
    Decision,
    Discard,
    Letter,
    Quarantine,
    Redrive,
    Suspicion,
    Wait,
)
from vigil.steady.record import Record

SKEW = timedelta(seconds=5)
"""How far the clock of SQS and ours may differ."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast triage goes.

    per_run   letters redriven a run
    patience  how long it waits for a canary; after one that failed, `first_wait`, then longer and longer
              where time may mend it
    at_risk   of those that may kill their workers, so many are tried at once
    apart     so long after one another: a batch whose worker is killed takes all that are in it along
    proof     so many failures under suspicion are no chance
    """

    per_run: int = 100
    patience: timedelta = timedelta(minutes=10)
    first_wait: timedelta = timedelta(minutes=1)
    longest_wait: timedelta = timedelta(hours=1)
    at_risk: int = 8
    apart: timedelta = timedelta(seconds=2)
    proof: int = 3

    def ahead(self, failures: int) -> int:
        """How many of those that may kill their workers go together, after so many canaries failed."""
        return min(1 << min(failures, 20), self.at_risk)

    def wait(self, failures: int) -> timedelta:
        return min(self.first_wait * (1 << min(max(failures - 1, 0), 20)), self.longest_wait)


@dataclass(frozen=True, slots=True)
class Look:
    """What triage sees at one time: the ledger's records, and which dependencies answer."""

    records: Mapping[str, Record]
    healthy: Callable[[str], bool]
    now: datetime
    pace: Pace = Pace()


def triage(
    letters: Sequence[Letter], cases: Mapping[str, Case], look: Look
) -> tuple[list[Decision], dict[str, Case]]:
    """One decision a letter, alerts for new faults, and the cases as they are now."""
    decisions: list[Decision] = []
    groups: dict[str, list[Letter]] = {}
    after = dict(cases)
    for letter in letters:
        open_ = _unsettled(letter, look.records)
        if not open_:
            why = "every drop in it has its end" if letter.drops else "it announces nothing"
            decisions.append(Discard(letter, why))
        elif any(drop.id in look.records and look.records[drop.id].held(look.now) for drop in open_):
            decisions.append(Wait(letter, "a worker holds it"))
        else:
            mark = fingerprint(look.records.get(open_[0].id))
            after.setdefault(mark.id, Case(mark, seen=look.now, since=look.now))
            groups.setdefault(mark.id, []).append(letter)
    for ident, group in groups.items():
        after[ident], decided = _treat(after[ident], group, look)
        decisions += decided
    return _paced(decisions, look.pace), after


def _treat(case: Case, group: Sequence[Letter], look: Look) -> tuple[Case, list[Decision]]:
    """One case's step: first what became of the canary, then what that means for the letters."""
    told: list[Decision] = [Alert(case, group[0], len(group))] if case.phase == "new" else []
    case = _heard(case, group, look)
    if not case.fingerprint.may_pass:
        told += [_quarantine(letter, case, look) for letter in group if _proven(letter, look)]
        group = [letter for letter in group if not _proven(letter, look)]
    if not group:
        return case, told
    if not look.healthy(case.fingerprint.dependency):
        case = replace(case, phase="resting", since=look.now)
        return case, told + [
            Wait(one, _of(case, f"{case.fingerprint.dependency} does not answer")) for one in group
        ]
    if case.phase == "mended":
        return case, told + _sent(case, group, look, "a letter like it went through")
    if case.phase == "trying":
        return case, told + [Wait(one, _of(case, f"canary {case.canary} is under way")) for one in group]
    if case.phase == "resting" and look.now < case.since + _rest(case, look.pace):
        return case, told + [Wait(one, _of(case, f"{case.failures} canaries came back")) for one in group]
    told += _sent(case, group, look, "its canary")
    canary = _unsettled(group[0], look.records)[0].id
    return replace(case, phase="trying", since=look.now, canary=canary), told


def _rest(case: Case, pace: Pace) -> timedelta:
    """Longer and longer where time may mend it; the others have waited in their lane, each for its proof."""
    return pace.wait(case.failures) if case.fingerprint.may_pass else pace.first_wait


def _of(case: Case, why: str) -> str:
    return f"fault {case.fingerprint.id}: {why}"


def _proven(letter: Letter, look: Look) -> bool:
    """Whether its own drop failed often enough since it is suspected: others' deaths do not count."""
    first, suspicion = _unsettled(letter, look.records)[0].id, letter.suspicion
    if suspicion is None or suspicion.drop != first or first not in look.records:
        return False
    return look.records[first].attempts - suspicion.attempts >= look.pace.proof


def _sent(case: Case, group: Sequence[Letter], look: Look, why: str) -> list[Decision]:
    """So many letters are sent back, in order; the others wait for them."""
    told = _of(case, why)
    if case.fingerprint.may_pass:
        most = len(group) if case.phase == "mended" else 1
        ahead = [Redrive(letter, told) for letter in group[:most]]
    else:
        most = look.pace.at_risk if case.phase == "mended" else look.pace.ahead(case.failures)
        ahead = [
            Redrive(letter, told, _suspected(letter, look.records), look.pace.apart * place)
            for place, letter in enumerate(group[:most])
        ]
    return [*ahead, *(Wait(letter, "others like it go first") for letter in group[most:])]


def _suspected(letter: Letter, records: Mapping[str, Record]) -> Suspicion:
    """Its first open drop: since before, or from now on."""
    first = _unsettled(letter, records)[0].id
    if letter.suspicion is not None and letter.suspicion.drop == first:
        return letter.suspicion
    return Suspicion(first, records[first].attempts)


def _heard(case: Case, group: Sequence[Letter], look: Look) -> Case:
    """The case after news of its canary, or of letters that came back although it was mended."""
    record = look.records.get(case.canary)
    back = [letter for letter in group if letter.redrives and letter.sent >= case.since - SKEW]
    match case.phase:
        case "trying" if record is not None and record.state in ("done", "rejected"):
            return replace(case, phase="mended", since=look.now, failures=0)
        case "trying":
            lost = any(case.canary in _ids(letter.drops) for letter in back)
            aside = record is not None and record.settled
            failed = lost or aside or look.now - case.since > look.pace.patience
        case "mended":
            failed = bool(back)
        case _:
            failed = False
    if not failed:
        return case
    return replace(case, phase="resting", since=look.now, failures=case.failures + 1)


def _quarantine(letter: Letter, case: Case, look: Look) -> Quarantine:
    mark = case.fingerprint
    reason = "kills-workers" if mark.kind == DIED else "bug"
    return Quarantine(letter, _unsettled(letter, look.records)[:1], mark.stage, reason, mark.text)


def _paced(decisions: Sequence[Decision], pace: Pace) -> list[Decision]:
    """Redrives beyond the rate wait for the next run."""
    left, paced = pace.per_run, []
    for decision in decisions:
        if isinstance(decision, Redrive):
            left -= 1
            if left < 0:
                decision = Wait(decision.letter, f"at most {pace.per_run} a run")  # noqa: PLW2901
        paced.append(decision)
    return paced


def _unsettled(letter: Letter, records: Mapping[str, Record]) -> tuple[Drop | Misfit, ...]:
    return tuple(drop for drop in letter.drops if drop.id not in records or not records[drop.id].settled)


def _ids(drops: Collection[Drop | Misfit]) -> set[str]:
    return {drop.id for drop in drops}
