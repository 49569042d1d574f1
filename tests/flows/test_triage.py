"""A run of triage over queues and ledger: what is done, and that the ledger says why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tests.memory import NOON, Hands, MemoryLedger
from vigil.drops import Drop, Object, drop_id
from vigil.flow.triage import Round, Ward, act, mend
from vigil.steady.letters import Alert, Case, Letter, Quarantine, Redrive, Suspicion
from vigil.steady.record import Record, Records


@dataclass
class Queue:
    """Port DeadLetters."""

    letters: list[Letter]
    sent: list[str] = field(default_factory=list)

    def receive(self, most: int) -> Sequence[Letter]:
        return list(self.letters[:most])

    def send_back(self, deed: Redrive) -> None:
        self.sent.append(deed.letter.id)

    def delete(self, letter: Letter) -> None:
        self.letters.remove(letter)


@dataclass
class Clinic:
    """Every other port."""

    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    notes: list[tuple[str, str, str]] = field(default_factory=list)
    cases: Mapping[str, Case] = field(default_factory=dict)
    told: list[Alert] = field(default_factory=list)

    def read(self, drops: object) -> Mapping[str, Record]:
        rows = self.ledger.records.items()
        return {d: Record(d, r.state, r.attempts, r.until, r.stage, r.error, r.release) for d, r in rows}

    def note(self, drop: str, *, deed: str, why: str, now: datetime) -> None:
        self.notes.append((drop, deed, why))

    def load(self) -> Mapping[str, Case]:
        return self.cases

    def save(self, cases: Mapping[str, Case]) -> None:
        self.cases = cases

    def tell(self, alert: Alert) -> None:
        self.told.append(alert)


def drop(ident: str) -> Drop:
    return Drop(ident, "faces", "door", Object("photos", f"live/faces/door/{ident}.jpg", "v1"), NOON)


def letter(ident: str, redrives: int = 0) -> Letter:
    return Letter(f"m-{ident}", "live", "{}", "r", NOON, redrives, (drop(ident),))


def failed(clinic: Clinic, ident: str, error: str) -> None:
    claim = clinic.ledger.claim(drop(ident), owner="w", now=NOON, until=NOON)
    clinic.ledger.release(claim, stage="look", error=error, now=NOON)  # type: ignore[arg-type]


def run(clinic: Clinic, queue: Queue, *, minutes: float = 0) -> Round:
    clock = Hands(NOON + timedelta(minutes=minutes))
    records: Records = clinic
    ward = Ward({"live": queue}, records, clinic, clinic, clinic.ledger, clinic, lambda _: True, clock)
    return mend(ward, owner="triage", most=100)


def counts(done: Round) -> Round:
    return replace(done, reasons={})


def test_a_first_run_tells_operators_sends_a_canary_and_notes_why():
    clinic, queue = Clinic(), Queue([letter("a"), letter("b")])
    failed(clinic, "a", "Transient: read object: x")
    failed(clinic, "b", "Transient: read object: x")

    assert counts(run(clinic, queue)) == Round(letters=2, redriven=1, waiting=1, new_faults=1)
    assert (queue.sent, [one.id for one in queue.letters]) == (["m-a"], ["m-b"])
    assert [(who, deed) for who, deed, _ in clinic.notes] == [("a", "redriven")]
    assert len(clinic.told) == 1


def test_when_the_canary_is_through_the_others_follow():
    clinic, queue = Clinic(), Queue([letter("a"), letter("b")])
    failed(clinic, "a", "Transient: read object: x")
    failed(clinic, "b", "Transient: read object: x")
    run(clinic, queue)
    clinic.ledger.records["a"].state = "done"

    assert counts(run(clinic, queue, minutes=1)) == Round(letters=1, redriven=1)
    assert queue.letters == []


def test_an_input_that_kills_its_worker_again_is_quarantined_with_a_reason():
    clinic, queue = Clinic(), Queue([letter("a")])
    failed(clinic, "a", "")
    run(clinic, queue)
    for _ in range(3):
        failed(clinic, "a", "")
    queue.letters = [replace(letter("a", redrives=1), suspicion=Suspicion("a", 1))]

    assert run(clinic, queue, minutes=1).quarantined == 1
    record = clinic.ledger.records["a"]
    assert (record.state, record.reason, record.stage) == ("quarantined", "kills-workers", "look")
    assert queue.letters == []


def test_of_a_letter_with_two_drops_the_one_that_kills_is_set_aside_and_the_other_goes_back():
    clinic = Clinic()
    suspected = Suspicion("a", 0)
    both = replace(letter("a", redrives=1), drops=(drop("a"), drop("b")), suspicion=suspected)
    for _ in range(3):
        failed(clinic, "a", "")
    queue = Queue([both])

    first, second = run(clinic, queue), run(clinic, queue, minutes=2)

    assert (first.quarantined, second.redriven) == (1, 1)
    assert (clinic.ledger.records["a"].state, "b" in clinic.ledger.records) == ("quarantined", False)
    assert [who for who, deed, _ in clinic.notes if deed == "quarantined"] == ["a"]
    assert queue.sent == ["m-a"]


def test_a_run_says_of_each_letter_why():
    clinic, queue = Clinic(), Queue([letter("a"), letter("b"), letter("c")])
    for name in "abc":
        failed(clinic, name, "Transient: read object: x")

    done = run(clinic, queue)

    (fault,) = {one.case.fingerprint.id for one in clinic.told}
    assert done.reasons == {
        f"new_faults: {fault}: Transient in look: read object: x": 1,
        f"redriven: fault {fault}: its canary": 1,
        "waiting: others like it go first": 2,
    }


def test_what_a_worker_takes_up_meanwhile_is_neither_quarantined_nor_said_to_be():
    clinic, queue = Clinic(), Queue([letter("a")])
    ward = Ward({"live": queue}, clinic, clinic, clinic, clinic.ledger, clinic, lambda _: True, Hands(NOON))
    clinic.ledger.claim(drop("a"), owner="w", now=NOON, until=NOON + timedelta(seconds=9))

    done = act(Quarantine(letter("a"), (drop("a"),), "look", "by-hand", "x"), ward, "me", Round())

    assert (done.quarantined, done.waiting) == (0, 1)
    assert (clinic.notes, len(queue.letters)) == ([], 1)


def test_a_letter_that_announces_nothing_leaves_a_line_too():
    clinic, queue = Clinic(), Queue([replace(letter("a"), drops=())])

    run(clinic, queue)

    assert queue.letters == []
    assert clinic.notes == [(drop_id("message", "m-a"), "discarded", "it announces nothing")]


def test_nothing_leaves_without_a_line():
    clinic, queue = Clinic(), Queue([letter(name) for name in "abc"])
    failed(clinic, "a", "ZeroDivisionError: x")
    clinic.ledger.claim(drop("b"), owner="w", now=NOON, until=NOON)
    clinic.ledger.records["b"].state = "done"
    before = {one.drops[0].id for one in queue.letters}

    run(clinic, queue)

    left = before - {one.drops[0].id for one in queue.letters}
    assert left == {who for who, _, _ in clinic.notes}


def test_a_case_without_letters_for_two_weeks_is_forgotten():
    clinic, queue = Clinic(), Queue([letter("a")])
    run(clinic, queue)

    run(clinic, Queue([]), minutes=14 * 24 * 60)

    assert clinic.cases == {}
