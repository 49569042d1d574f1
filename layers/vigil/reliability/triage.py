"""Decides what to do with each dead letter, from the ledger's records, and does it.

Of the dead letters of one fault, one is redriven first, as a canary. If its drop reaches a final state, the
others follow at a limited rate. If it comes back, a transient fault is tried again after longer and longer
waits. After a bug, or an input that kills its worker, equal messages need not have an equal cause, so each
dead letter is decided by itself: it is redriven as a suspect, and its drop is quarantined only if that drop
itself fails again so often that chance is excluded. The more canaries failed, the more suspects are redriven
together, up to a few, with an interval between them, so that none ends another's worker.

Every decision is noted on the drop before it is carried out: no message leaves its queue without a note.
"""

from collections import Counter
from collections.abc import (
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol, assert_never

from vigil.drops.ledger import (
    AlreadyCompleted,
    DropNotes,
    DropRecord,
    DropRecordReader,
    Lease,
    LeaseHeld,
    Ledger,
)
from vigil.drops.messages import Drop, InvalidMessage
from vigil.reliability.dead_letters import (
    WORKER_DIED,
    DeadLetter,
    DeadLetterQueue,
    Discard,
    FaultCase,
    Leave,
    NewFault,
    Quarantine,
    Redrive,
    SuspectDrop,
    TriageDecision,
    add_notes,
    delete_with_note,
    fingerprint_of,
    redrive,
)

CLOCK_SKEW = timedelta(seconds=5)
"""How far the clock of SQS and ours may differ."""


@dataclass(frozen=True, slots=True)
class TriagePolicy:
    """The pace of triage.

    max_redrives       redrives per run
    canary_timeout     wait for a canary; then `initial_backoff`, doubled up to `max_backoff` if transient
    max_suspects       suspects that are redriven together
    suspect_interval   between two of them: a worker that is killed takes its whole batch with it
    failures_to_prove  failures as a suspect after which a drop is quarantined
    """

    max_redrives: int = 100
    canary_timeout: timedelta = timedelta(minutes=10)
    initial_backoff: timedelta = timedelta(minutes=1)
    max_backoff: timedelta = timedelta(hours=1)
    max_suspects: int = 8
    suspect_interval: timedelta = timedelta(seconds=2)
    failures_to_prove: int = 3

    def suspects_at_once(self, failures: int) -> int:
        """The number of suspects that are redriven together after this number of failed canaries."""
        return min(1 << min(failures, 20), self.max_suspects)

    def backoff(self, failures: int) -> timedelta:
        return min(self.initial_backoff * (1 << min(max(failures - 1, 0), 20)), self.max_backoff)


@dataclass(frozen=True, slots=True)
class TriageContext:
    """The ledger's records and the health of dependencies at one time."""

    records: Mapping[str, DropRecord]
    is_healthy: Callable[[str], bool]
    now: datetime
    policy: TriagePolicy = TriagePolicy()


def triage(
    dead_letters: Sequence[DeadLetter], cases: Mapping[str, FaultCase], context: TriageContext
) -> tuple[list[TriageDecision], dict[str, FaultCase]]:
    """A decision for each dead letter, a notification for each new fault, and the updated cases."""
    decisions: list[TriageDecision] = []
    groups: dict[str, list[DeadLetter]] = {}
    updated = dict(cases)
    for dead_letter in dead_letters:
        open_drops = _open_drops(dead_letter, context.records)
        if not open_drops:
            reason = "every drop in it has a final state" if dead_letter.drops else "it contains no drop"
            decisions.append(Discard(dead_letter, reason))
        elif any(
            drop.id in context.records and context.records[drop.id].is_leased(context.now)
            for drop in open_drops
        ):
            decisions.append(Leave(dead_letter, "a worker is processing it"))
        else:
            fault = fingerprint_of(context.records.get(open_drops[0].id))
            updated.setdefault(fault.id, FaultCase(fault, first_failed_at=context.now, since=context.now))
            groups.setdefault(fault.id, []).append(dead_letter)
    for fault_id, group in groups.items():
        updated[fault_id], case_decisions = _decide_case(updated[fault_id], group, context)
        decisions += case_decisions
    return _limit_redrives(decisions, context.policy), updated


def _decide_case(
    case: FaultCase, group: Sequence[DeadLetter], context: TriageContext
) -> tuple[FaultCase, list[TriageDecision]]:
    """One step of a case: first the result of its canary, then a decision for each dead letter."""
    decisions: list[TriageDecision] = [NewFault(case, group[0], len(group))] if case.phase == "new" else []
    case = _update_from_canary(case, group, context)
    if not case.fingerprint.is_transient:
        decisions += [
            _quarantine_decision(dead_letter, case, context)
            for dead_letter in group
            if _is_proven(dead_letter, context)
        ]
        group = [dead_letter for dead_letter in group if not _is_proven(dead_letter, context)]
    if not group:
        return case, decisions
    if not context.is_healthy(case.fingerprint.dependency):
        case = replace(case, phase="backing-off", since=context.now)
        return case, decisions + [
            Leave(one, _reason_text(case, f"{case.fingerprint.dependency} does not answer")) for one in group
        ]
    if case.phase == "resolved":
        return case, decisions + _redrive_some(case, group, context, "a message like it succeeded")
    if case.phase == "testing":
        return case, decisions + [
            Leave(one, _reason_text(case, f"canary {case.canary_drop_id} is being processed"))
            for one in group
        ]
    if case.phase == "backing-off" and context.now < case.since + _case_backoff(case, context.policy):
        return case, decisions + [
            Leave(one, _reason_text(case, f"{case.failures} canaries failed")) for one in group
        ]
    decisions += _redrive_some(case, group, context, "canary")
    canary = _open_drops(group[0], context.records)[0].id
    return replace(case, phase="testing", since=context.now, canary_drop_id=canary), decisions


def _case_backoff(case: FaultCase, policy: TriagePolicy) -> timedelta:
    """Longer and longer for transient faults; suspects have waited in their lane already."""
    return policy.backoff(case.failures) if case.fingerprint.is_transient else policy.initial_backoff


def _reason_text(case: FaultCase, reason: str) -> str:
    return f"fault {case.fingerprint.id}: {reason}"


def _is_proven(dead_letter: DeadLetter, context: TriageContext) -> bool:
    """Whether its own drop failed often enough since it became a suspect."""
    drop_id, suspect = _open_drops(dead_letter, context.records)[0].id, dead_letter.suspect
    if suspect is None or suspect.drop_id != drop_id or drop_id not in context.records:
        return False
    return context.records[drop_id].attempts - suspect.attempts_before >= context.policy.failures_to_prove


def _redrive_some(
    case: FaultCase, group: Sequence[DeadLetter], context: TriageContext, reason: str
) -> list[TriageDecision]:
    """Redrive as many as the case allows, in order; the others wait."""
    text = _reason_text(case, reason)
    if case.fingerprint.is_transient:
        count = len(group) if case.phase == "resolved" else 1
        redrives = [Redrive(dead_letter, text) for dead_letter in group[:count]]
    else:
        count = (
            context.policy.max_suspects
            if case.phase == "resolved"
            else context.policy.suspects_at_once(case.failures)
        )
        redrives = [
            Redrive(
                dead_letter,
                text,
                _suspect_of(dead_letter, context.records),
                context.policy.suspect_interval * place,
            )
            for place, dead_letter in enumerate(group[:count])
        ]
    return [
        *redrives,
        *(Leave(dead_letter, "others like it go first") for dead_letter in group[count:]),
    ]


def _suspect_of(dead_letter: DeadLetter, records: Mapping[str, DropRecord]) -> SuspectDrop:
    """Its first open drop, with the attempts before it became a suspect."""
    drop_id = _open_drops(dead_letter, records)[0].id
    if dead_letter.suspect is not None and dead_letter.suspect.drop_id == drop_id:
        return dead_letter.suspect
    return SuspectDrop(drop_id, records[drop_id].attempts)


def _update_from_canary(case: FaultCase, group: Sequence[DeadLetter], context: TriageContext) -> FaultCase:
    """The case after the result of its canary, or after messages failed again although it was resolved."""
    record = context.records.get(case.canary_drop_id)
    returned = [
        dead_letter
        for dead_letter in group
        if dead_letter.redrives and dead_letter.sent_at >= case.since - CLOCK_SKEW
    ]
    match case.phase:
        case "testing" if record is not None and record.state in ("done", "rejected"):
            return replace(case, phase="resolved", since=context.now, failures=0)
        case "testing":
            has_returned = any(
                case.canary_drop_id in _drop_ids(dead_letter.drops) for dead_letter in returned
            )
            was_quarantined = record is not None and record.is_terminal
            has_failed = (
                has_returned or was_quarantined or context.now - case.since > context.policy.canary_timeout
            )
        case "resolved":
            has_failed = bool(returned)
        case _:
            has_failed = False
    if not has_failed:
        return case
    return replace(case, phase="backing-off", since=context.now, failures=case.failures + 1)


def _quarantine_decision(dead_letter: DeadLetter, case: FaultCase, context: TriageContext) -> Quarantine:
    fault = case.fingerprint
    reason = "kills-workers" if fault.kind == WORKER_DIED else "bug"
    return Quarantine(
        dead_letter, _open_drops(dead_letter, context.records)[:1], fault.stage, reason, fault.description
    )


def _limit_redrives(decisions: Sequence[TriageDecision], policy: TriagePolicy) -> list[TriageDecision]:
    """Redrives beyond the limit wait for the next run."""
    remaining, limited = policy.max_redrives, []
    for decision in decisions:
        if isinstance(decision, Redrive):
            remaining -= 1
            if remaining < 0:
                decision = Leave(decision.dead_letter, f"at most {policy.max_redrives} a run")  # noqa: PLW2901
        limited.append(decision)
    return limited


def _open_drops(
    dead_letter: DeadLetter, records: Mapping[str, DropRecord]
) -> tuple[Drop | InvalidMessage, ...]:
    return tuple(
        drop for drop in dead_letter.drops if drop.id not in records or not records[drop.id].is_terminal
    )


def _drop_ids(drops: Collection[Drop | InvalidMessage]) -> set[str]:
    return {drop.id for drop in drops}


CASE_RETENTION = timedelta(days=14)
"""The retention of the dead-letter queues: no message of an older case can exist."""

_QUARANTINE_LEASE = timedelta(minutes=1)


class FaultCaseStore(Protocol):
    """Fault cases by fingerprint id."""

    def load_cases(self) -> Mapping[str, FaultCase]: ...
    def save_cases(self, cases: Mapping[str, FaultCase]) -> None: ...


class OperatorNotifier(Protocol):
    def notify(self, fault: NewFault) -> None: ...


@dataclass(frozen=True, slots=True)
class TriagePorts:
    """Ports of triage; `queues` by lane."""

    queues: Mapping[str, DeadLetterQueue]
    records: DropRecordReader
    notes: DropNotes
    cases: FaultCaseStore
    ledger: Ledger
    notifier: OperatorNotifier
    is_healthy: Callable[[str], bool]
    clock: Callable[[], datetime]
    policy: TriagePolicy = field(default_factory=TriagePolicy)


TriageAction = Literal["redriven", "quarantined", "discarded", "waiting", "new_faults"]


@dataclass(frozen=True, slots=True)
class TriageReport:
    """What one run did, and the number of messages by reason."""

    messages: int = 0
    redriven: int = 0
    quarantined: int = 0
    discarded: int = 0
    waiting: int = 0
    new_faults: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)

    def with_action(self, action: TriageAction, reason: str) -> "TriageReport":
        reasons = dict(Counter(self.reasons) + Counter([f"{action}: {reason}"]))
        return replace(self, **{action: getattr(self, action) + 1, "reasons": reasons})


def run_triage(ports: TriagePorts, *, owner: str, max_messages: int) -> TriageReport:
    """One run over at most `max_messages` of each lane. A crash repeats work and loses none."""
    dead_letters = [
        dead_letter for queue in ports.queues.values() for dead_letter in queue.receive(max_messages)
    ]
    cases = {
        ident: case for ident, case in ports.cases.load_cases().items() if _is_recent(case, ports.clock())
    }
    drop_ids = {drop.id for dead_letter in dead_letters for drop in dead_letter.drops} | {
        case.canary_drop_id for case in cases.values()
    }
    context = TriageContext(
        ports.records.read_records(drop_ids - {""}), ports.is_healthy, ports.clock(), ports.policy
    )
    decisions, updated_cases = triage(dead_letters, cases, context)
    report = TriageReport(messages=len(dead_letters))
    for decision in decisions:
        report = carry_out(decision, ports, owner, report)
    ports.cases.save_cases(updated_cases)
    return report


def carry_out(decision: TriageDecision, ports: TriagePorts, owner: str, report: TriageReport) -> TriageReport:
    """Carry out one decision, made by triage or by a person."""
    match decision:
        case NewFault(case):
            ports.notifier.notify(decision)
            return report.with_action("new_faults", case.fingerprint.description)
        case Redrive(letter, why):
            redrive(decision, ports.queues[letter.lane], ports.notes, ports.clock())
            return report.with_action("redriven", why)
        case Quarantine(detail=why) if not _quarantine_drops(decision, ports, owner):
            return report.with_action("waiting", f"a worker has claimed it meanwhile; {why}")
        case Quarantine(letter, drops, _, _, why) if drops != letter.drops:
            add_notes(letter, drops, ports.notes, action="quarantined", reason=why, now=ports.clock())
            return report.with_action("quarantined", why)
        case Quarantine(dead_letter=letter, detail=why):
            return _delete_with_action(letter, "quarantined", why, ports, report)
        case Discard(letter, why):
            return _delete_with_action(letter, "discarded", why, ports, report)
        case Leave(_, why):
            return report.with_action("waiting", why)
        case _:
            assert_never(decision)


def _delete_with_action(
    dead_letter: DeadLetter, action: TriageAction, reason: str, ports: TriagePorts, report: TriageReport
) -> TriageReport:
    queue = ports.queues[dead_letter.lane]
    delete_with_note(dead_letter, queue, action=action, reason=reason, notes=ports.notes, now=ports.clock())
    return report.with_action(action, reason)


def _quarantine_drops(decision: Quarantine, ports: TriagePorts, owner: str) -> bool:
    """Whether all its drops have a final state now; a worker may have claimed one meanwhile."""
    return all(_quarantine_drop(drop, decision, ports, owner) for drop in decision.drops)


def _quarantine_drop(
    drop: Drop | InvalidMessage, decision: Quarantine, ports: TriagePorts, owner: str
) -> bool:
    now = ports.clock()
    answer = ports.ledger.claim(drop, owner=owner, now=now, until=now + _QUARANTINE_LEASE)
    match answer:
        case AlreadyCompleted():
            return True
        case LeaseHeld():
            return False
        case Lease():
            ports.ledger.quarantine(
                answer, reason=decision.reason, message=decision.detail, stage=decision.stage, now=now
            )
            return True


def _is_recent(case: FaultCase, now: datetime) -> bool:
    return now - case.since < CASE_RETENTION
