"""A run of triage over queues and ledger: what is done, and that the ledger says why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tests.fakes.memory import NOON, FakeClock, MemoryLedger
from vigil.drops.ledger import DropRecord, DropRecordReader
from vigil.drops.messages import Drop, S3Object, compute_drop_id
from vigil.reliability.dead_letters import (
    DeadLetter,
    FaultCase,
    NewFault,
    Quarantine,
    Redrive,
    SuspectDrop,
)
from vigil.reliability.triage import (
    TriagePorts,
    TriageReport,
    carry_out,
    run_triage,
)


@dataclass
class FakeDeadLetterQueue:
    """Port DeadLetters."""

    letters: list[DeadLetter]
    sent: list[str] = field(default_factory=list)

    def receive(self, max_messages: int) -> Sequence[DeadLetter]:
        return list(self.letters[:max_messages])

    def redrive(self, decision: Redrive) -> None:
        self.sent.append(decision.dead_letter.id)

    def delete(self, letter: DeadLetter) -> None:
        self.letters.remove(letter)


@dataclass
class FakeTriage:
    """Every other port."""

    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    notes: list[tuple[str, str, str]] = field(default_factory=list)
    cases: Mapping[str, FaultCase] = field(default_factory=dict)
    notified: list[NewFault] = field(default_factory=list)

    def read_records(self, drop_ids: object) -> Mapping[str, DropRecord]:
        rows = self.ledger.records.items()
        return {
            d: DropRecord(d, r.state, r.attempts, r.until, r.stage, r.error, r.release, None, r.dependency)
            for d, r in rows
        }

    def add_note(self, drop: str, *, action: str, reason: str, now: datetime) -> None:
        self.notes.append((drop, action, reason))

    def load_cases(self) -> Mapping[str, FaultCase]:
        return self.cases

    def save_cases(self, cases: Mapping[str, FaultCase]) -> None:
        self.cases = cases

    def notify(self, fault: NewFault) -> None:
        self.notified.append(fault)


def drop(ident: str) -> Drop:
    return Drop(ident, "faces", "door", S3Object("photos", f"live/faces/door/{ident}.jpg", "v1"), NOON)


def dead_letter(ident: str, redrives: int = 0) -> DeadLetter:
    return DeadLetter(f"m-{ident}", "live", "{}", "r", NOON, redrives, (drop(ident),))


def fail_drop(fake: FakeTriage, ident: str, error: str) -> None:
    claim = fake.ledger.claim(drop(ident), owner="w", now=NOON, until=NOON)
    fake.ledger.release_lease(claim, stage="predict", error=error, dependency="photos", now=NOON)  # type: ignore[arg-type]


def triage_once(fake: FakeTriage, queue: FakeDeadLetterQueue, *, minutes: float = 0) -> TriageReport:
    clock = FakeClock(NOON + timedelta(minutes=minutes))
    records: DropRecordReader = fake
    ward = TriagePorts({"live": queue}, records, fake, fake, fake.ledger, fake, lambda _: True, clock)
    return run_triage(ward, owner="triage", max_messages=100)


def without_reasons(report: TriageReport) -> TriageReport:
    return replace(report, reasons={})


def test_a_first_run_notifies_operators_redrives_a_canary_and_notes_why():
    clinic, queue = FakeTriage(), FakeDeadLetterQueue([dead_letter("a"), dead_letter("b")])
    fail_drop(clinic, "a", "Transient: read object: x")
    fail_drop(clinic, "b", "Transient: read object: x")

    assert without_reasons(triage_once(clinic, queue)) == TriageReport(
        messages=2, redriven=1, waiting=1, new_faults=1
    )
    assert (queue.sent, [one.id for one in queue.letters]) == (["m-a"], ["m-b"])
    assert [(who, deed) for who, deed, _ in clinic.notes] == [("a", "redriven")]
    assert len(clinic.notified) == 1


def test_the_others_follow_after_the_canary_succeeds():
    clinic, queue = FakeTriage(), FakeDeadLetterQueue([dead_letter("a"), dead_letter("b")])
    fail_drop(clinic, "a", "Transient: read object: x")
    fail_drop(clinic, "b", "Transient: read object: x")
    triage_once(clinic, queue)
    clinic.ledger.records["a"].state = "done"

    assert without_reasons(triage_once(clinic, queue, minutes=1)) == TriageReport(messages=1, redriven=1)
    assert queue.letters == []


def test_an_input_that_kills_its_worker_again_is_quarantined_with_a_reason():
    clinic, queue = FakeTriage(), FakeDeadLetterQueue([dead_letter("a")])
    fail_drop(clinic, "a", "")
    triage_once(clinic, queue)
    for _ in range(3):
        fail_drop(clinic, "a", "")
    queue.letters = [replace(dead_letter("a", redrives=1), suspect=SuspectDrop("a", 1))]

    assert triage_once(clinic, queue, minutes=1).quarantined == 1
    record = clinic.ledger.records["a"]
    assert (record.state, record.reason, record.stage) == ("quarantined", "kills-workers", "predict")
    assert queue.letters == []


def test_only_the_failing_drop_of_a_message_is_quarantined():
    clinic = FakeTriage()
    suspected = SuspectDrop("a", 0)
    both = replace(dead_letter("a", redrives=1), drops=(drop("a"), drop("b")), suspect=suspected)
    for _ in range(3):
        fail_drop(clinic, "a", "")
    queue = FakeDeadLetterQueue([both])

    first, second = triage_once(clinic, queue), triage_once(clinic, queue, minutes=2)

    assert (first.quarantined, second.redriven) == (1, 1)
    assert (clinic.ledger.records["a"].state, "b" in clinic.ledger.records) == ("quarantined", False)
    assert [who for who, deed, _ in clinic.notes if deed == "quarantined"] == ["a"]
    assert queue.sent == ["m-a"]


def test_a_report_counts_the_reasons():
    clinic, queue = FakeTriage(), FakeDeadLetterQueue([dead_letter("a"), dead_letter("b"), dead_letter("c")])
    for name in "abc":
        fail_drop(clinic, name, "Transient: read object: x")

    done = triage_once(clinic, queue)

    (fault,) = {one.case.fingerprint.id for one in clinic.notified}
    assert done.reasons == {
        f"new_faults: {fault}: Transient in predict: read object: x": 1,
        f"redriven: fault {fault}: canary": 1,
        "waiting: others like it go first": 2,
    }


def test_a_drop_that_a_worker_claims_meanwhile_is_not_quarantined():
    clinic, queue = FakeTriage(), FakeDeadLetterQueue([dead_letter("a")])
    ward = TriagePorts(
        {"live": queue}, clinic, clinic, clinic, clinic.ledger, clinic, lambda _: True, FakeClock(NOON)
    )
    clinic.ledger.claim(drop("a"), owner="w", now=NOON, until=NOON + timedelta(seconds=9))

    done = carry_out(
        Quarantine(dead_letter("a"), (drop("a"),), "predict", "by-hand", "x"), ward, "me", TriageReport()
    )

    assert (done.quarantined, done.waiting) == (0, 1)
    assert (clinic.notes, len(queue.letters)) == ([], 1)


def test_a_message_without_drops_gets_a_note_too():
    clinic, queue = FakeTriage(), FakeDeadLetterQueue([replace(dead_letter("a"), drops=())])

    triage_once(clinic, queue)

    assert queue.letters == []
    assert clinic.notes == [(compute_drop_id("message", "m-a"), "discarded", "it contains no drop")]


def test_no_message_leaves_its_queue_without_a_note():
    clinic, queue = FakeTriage(), FakeDeadLetterQueue([dead_letter(name) for name in "abc"])
    fail_drop(clinic, "a", "ZeroDivisionError: x")
    clinic.ledger.claim(drop("b"), owner="w", now=NOON, until=NOON)
    clinic.ledger.records["b"].state = "done"
    before = {one.drops[0].id for one in queue.letters}

    triage_once(clinic, queue)

    left = before - {one.drops[0].id for one in queue.letters}
    assert left == {who for who, _, _ in clinic.notes}


def test_a_case_without_messages_for_two_weeks_is_deleted():
    clinic, queue = FakeTriage(), FakeDeadLetterQueue([dead_letter("a")])
    triage_once(clinic, queue)

    triage_once(clinic, FakeDeadLetterQueue([]), minutes=14 * 24 * 60)

    assert clinic.cases == {}
