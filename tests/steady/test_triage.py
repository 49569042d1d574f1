"""What is done with dead letters, and why."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.memory import NOON
from vigil.drops import Drop, Object
from vigil.steady.fingerprint import fingerprint
from vigil.steady.letters import Alert, Case, Discard, Letter, Quarantine, Redrive, Suspicion, Wait
from vigil.steady.record import Record
from vigil.steady.triage import Look, Pace, triage

MINUTE = timedelta(minutes=1)
AWAY = "Transient: read object: SlowDown"
BUG = "ZeroDivisionError: division by zero"


def drop(ident: str) -> Drop:
    return Drop(ident, "faces", "door", Object("photos", f"live/faces/door/{ident}.jpg", "v1"), NOON)


def letter(ident: str, *, redrives: int = 0, sent=NOON) -> Letter:
    return Letter(f"m-{ident}", "live", "{}", "r", sent, redrives, (drop(ident),))


def suspect(ident: str, attempts: int = 5) -> Letter:
    """It came back after it was sent under suspicion."""
    return replace(letter(ident, redrives=1), suspicion=Suspicion(ident, attempts))


def record(ident: str, error: str = AWAY, state: str = "claimed", **more: object) -> Record:
    return replace(Record(ident, state, 5, NOON - MINUTE, "read", error, "r1"), **more)  # type: ignore[arg-type]


def look(*records: Record, now=NOON, healthy: bool = True, per_run: int = 100) -> Look:
    known = {one.drop: one for one in records}
    return Look(known, lambda _: healthy, now, Pace(per_run=per_run))


def kinds(decisions: Sequence[object]) -> list[str]:
    return [type(one).__name__ for one in decisions]


def one_case(cases: dict[str, Case]) -> Case:
    (case,) = cases.values()
    return case


def tried(error: str = AWAY, **more: object) -> dict[str, Case]:
    """The cases after a first run sent `a` ahead."""
    _, cases = triage([letter("a"), letter("b")], {}, look(record("a", error), record("b", error)))
    return {ident: replace(case, **more) for ident, case in cases.items()}  # type: ignore[arg-type]


def test_a_new_fault_is_told_once_and_one_letter_goes_ahead():
    decisions, cases = triage([letter("a"), letter("b")], {}, look(record("a"), record("b")))

    assert kinds(decisions) == ["Alert", "Redrive", "Wait"]
    assert one_case(cases).canary == "a"


def test_letters_wait_while_the_dependency_does_not_answer():
    first, cases = triage([letter("a")], {}, look(record("a"), healthy=False))
    second, _ = triage([letter("a")], cases, look(record("a"), healthy=False, now=NOON + MINUTE))

    assert (kinds(first), kinds(second)) == (["Alert", "Wait"], ["Wait"])


def test_the_others_wait_for_the_canary():
    decisions, _ = triage([letter("b")], tried(), look(record("a"), record("b"), now=NOON + MINUTE))

    assert kinds(decisions) == ["Wait"]


def test_a_canary_that_came_through_opens_the_way():
    known = look(record("a", state="done"), record("b"), record("c"), now=NOON + MINUTE, per_run=1)

    decisions, cases = triage([letter("b"), letter("c")], tried(), known)

    assert kinds(decisions) == ["Redrive", "Wait"]
    assert one_case(cases).phase == "mended"


def test_a_canary_that_came_back_is_tried_again_later_and_later():
    later = NOON + MINUTE
    back = [letter("a", redrives=1, sent=NOON)]
    _, failed = triage(back, tried(), look(record("a"), now=later))

    soon, _ = triage(back, failed, look(record("a"), now=later + MINUTE / 2))
    then, _ = triage(back, failed, look(record("a"), now=later + MINUTE))

    assert (kinds(soon), kinds(then)) == (["Wait"], ["Redrive"])
    assert Pace().wait(1) < Pace().wait(2) < Pace().wait(50) == timedelta(hours=1)


def test_suspects_are_tried_at_a_steady_pace_however_many_failed():
    """Waiting proves nothing of them, and each was tried and hidden in its lane for long."""
    resting = tried("", phase="resting", failures=9)

    (soon,), _ = triage([suspect("a")], resting, look(record("a", ""), now=NOON + MINUTE / 2))
    (then,), _ = triage([suspect("a")], resting, look(record("a", ""), now=NOON + MINUTE))

    assert kinds([soon, then]) == ["Wait", "Redrive"]


def test_a_canary_that_nobody_hears_of_counts_as_failed():
    _, cases = triage([letter("b")], tried(), look(record("a"), record("b"), now=NOON + 11 * MINUTE))

    assert one_case(cases).phase == "resting"


def test_letters_that_come_back_close_the_way_again():
    mended = tried(phase="mended", since=NOON)

    decisions, cases = triage(
        [letter("b", redrives=1, sent=NOON + MINUTE)], mended, look(record("b"), now=NOON + 2 * MINUTE)
    )

    assert kinds(decisions) == ["Wait"]
    assert one_case(cases).phase == "resting"


def test_letters_that_came_back_before_it_was_mended_do_not():
    mended = tried(phase="mended", since=NOON + MINUTE)

    decisions, _ = triage([letter("b", redrives=1)], mended, look(record("b"), now=NOON + 2 * MINUTE))

    assert kinds(decisions) == ["Redrive"]


@pytest.mark.parametrize(("error", "reason"), [(BUG, "bug"), ("", "kills-workers")])
def test_an_input_that_fails_again_by_itself_is_quarantined(error: str, reason: str):
    known = look(record("a", error, attempts=8), record("b", error))

    decisions, _ = triage([suspect("a"), letter("b")], tried(error), known)

    quarantine = decisions[0]
    assert isinstance(quarantine, Quarantine)
    assert (quarantine.reason, quarantine.drops) == (reason, (drop("a"),))
    assert kinds(decisions) == ["Quarantine", "Wait"]


@pytest.mark.parametrize("attempts", [5, 6, 7])
def test_a_letter_that_was_hardly_worked_on_again_is_not_held_guilty(attempts: int):
    """What starves or kills workers once or twice may be another's fault."""
    decisions, _ = triage([suspect("a")], tried(""), look(record("a", "", attempts=attempts)))

    assert kinds(decisions) == ["Wait"]


def test_failures_before_it_was_suspected_prove_nothing():
    """Its store was away the first time, and however often it was tried then."""
    back = letter("a", redrives=1)

    decisions, _ = triage([back], tried(""), look(record("a", "", attempts=50), now=NOON + 11 * MINUTE))
    (sent,) = [
        one for one in triage([back], {}, look(record("a", "", attempts=50)))[0] if isinstance(one, Redrive)
    ]

    assert kinds(decisions) == ["Wait"]
    assert sent.suspicion == Suspicion("a", 50)


def test_failures_under_suspicion_add_up_until_they_prove_it():
    resting = tried("", phase="resting", failures=1)
    twice = look(record("a", "", attempts=7), now=NOON + 61 * MINUTE)

    (again,), _ = triage([suspect("a")], resting, twice)

    assert isinstance(again, Redrive)
    assert again.suspicion == Suspicion("a", 5)


def test_what_time_may_mend_clears_a_drop_that_was_suspected():
    mended = tried(phase="mended", since=NOON + MINUTE)

    (sent,), _ = triage([suspect("a")], mended, look(record("a", attempts=9)))

    assert isinstance(sent, Redrive)
    assert sent.suspicion is None


def test_a_suspicion_is_of_one_drop_and_not_of_those_beside_it():
    both = replace(suspect("a"), drops=(drop("a"), drop("b")))
    known = look(record("a", state="done"), record("b", "", attempts=9))

    sent = triage([both], {}, known)[0][-1]

    assert isinstance(sent, Redrive)
    assert sent.suspicion == Suspicion("b", 9)


def test_those_that_may_kill_their_workers_go_apart():
    """A batch whose worker is killed takes all that are in it along."""
    lost = tried("", phase="resting", failures=2)
    known = look(*[record(name, "") for name in "bcde"], now=NOON + 61 * MINUTE)

    decisions, _ = triage([letter(name) for name in "bcde"], lost, known)

    afters = [one.after for one in decisions if isinstance(one, Redrive)]
    assert afters == [Pace().apart * place for place in range(4)]


@pytest.mark.parametrize(("failures", "ahead"), [(0, 1), (1, 2), (3, 8), (9, 8)])
def test_however_many_of_a_kind_failed_the_others_are_tried_more_and_more_at_once(failures: int, ahead: int):
    lost = tried(BUG, phase="resting", failures=failures)
    names = "bcdefghijkl"

    decisions, _ = triage(
        [letter(name) for name in names],
        lost,
        look(*[record(name, BUG) for name in names], now=NOON + 61 * MINUTE),
    )

    assert kinds(decisions) == ["Redrive"] * ahead + ["Wait"] * (len(names) - ahead)


def test_after_one_went_through_those_that_may_kill_follow_a_few_at_a_time():
    names = "bcdefghijkl"
    known = look(record("a", "", state="done"), *[record(name, "") for name in names], now=NOON + MINUTE)

    decisions, _ = triage([letter(name) for name in names], tried(""), known)

    assert kinds(decisions) == ["Redrive"] * 8 + ["Wait"] * 3


def test_a_canary_that_was_set_aside_is_not_one_that_came_through():
    known = look(record("a", BUG, state="quarantined"), record("b", BUG), now=NOON + MINUTE)

    decisions, cases = triage([letter("b")], tried(BUG), known)

    assert (kinds(decisions), one_case(cases).phase) == (["Wait"], "resting")


def test_a_letter_whose_drops_have_their_end_is_discarded():
    decisions, cases = triage([letter("a")], {}, look(record("a", state="done")))

    assert (kinds(decisions), cases) == (["Discard"], {})


def test_an_empty_letter_is_discarded():
    decisions, _ = triage([replace(letter("a"), drops=())], {}, look())

    assert kinds(decisions) == ["Discard"]


def test_a_letter_in_a_workers_hands_waits():
    decisions, _ = triage([letter("a")], {}, look(record("a", until=NOON + MINUTE)))

    assert kinds(decisions) == ["Wait"]


def test_a_message_that_no_worker_ever_claimed_goes_ahead_like_any_other():
    decisions, cases = triage([letter("a")], {}, look())

    assert kinds(decisions) == ["Alert", "Redrive"]
    assert one_case(cases).fingerprint.kind == "NeverClaimed"


def test_every_letter_gets_exactly_one_decision():
    letters = [letter(name) for name in "abcdef"]
    known = look(record("a"), record("b", BUG), record("c", state="done"), record("d", ""), record("e"))

    decisions, _ = triage(letters, {}, known)

    decided = [one.letter.id for one in decisions if not isinstance(one, Alert)]
    assert sorted(decided) == sorted(one.id for one in letters)
    assert all(one.why for one in decisions if isinstance(one, Redrive | Wait | Quarantine | Discard))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "read object: SlowDown for key 'a.jpg' after 3 tries",
            "read object: SlowDown for key 'b.jpg' after 4 tries",
        ),
        ("claim 0123456789abcdef: timeout", "claim fedcba9876543210: timeout"),
        ("read s3://photos/a: 2026-03-02T12:00:00+00:00", "read s3://photos/b: 2026-03-02T13:00:00+00:00"),
    ],
)
def test_equal_failures_have_equal_fingerprints(one: str, other: str):
    assert fingerprint(record("a", f"Transient: {one}")) == fingerprint(record("b", f"Transient: {other}"))


@pytest.mark.parametrize(
    "change", [{"stage": "keep"}, {"error": "Transient: write x: y"}, {"error": BUG}, {"release": "r2"}]
)
def test_failures_that_differ_in_stage_kind_or_release_do_not(change: dict[str, str]):
    assert fingerprint(record("a")).id != fingerprint(record("a", **change)).id


def test_a_transient_names_whose_failure_it_is():
    assert fingerprint(record("a")).dependency == "photos"
    assert fingerprint(record("a", "Transient: keep d1: away")).dependency == "records"
    assert fingerprint(record("a", BUG)).dependency == "model"
    assert fingerprint(record("a", "")).kind == "WorkerDied"
