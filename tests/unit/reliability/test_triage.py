"""What is done with dead letters, and why."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.memory import NOON
from vigil.drops.ledger import DropRecord
from vigil.drops.messages import Drop, S3Object
from vigil.reliability.dead_letters import (
    DeadLetter,
    Discard,
    FaultCase,
    Leave,
    NewFault,
    Quarantine,
    Redrive,
    SuspectDrop,
    fingerprint_of,
)
from vigil.reliability.triage import TriageContext, TriagePolicy, triage

MINUTE = timedelta(minutes=1)
AWAY = "Transient: read object: SlowDown"
BUG = "ZeroDivisionError: division by zero"


def drop(ident: str) -> Drop:
    return Drop(ident, "faces", "door", S3Object("photos", f"live/faces/door/{ident}.jpg", "v1"), NOON)


def dead_letter(ident: str, *, redrives: int = 0, sent=NOON) -> DeadLetter:
    return DeadLetter(f"m-{ident}", "live", "{}", "r", sent, redrives, (drop(ident),))


def suspect(ident: str, attempts: int = 5) -> DeadLetter:
    """It came back after it was sent under suspicion."""
    return replace(dead_letter(ident, redrives=1), suspect=SuspectDrop(ident, attempts))


def record(
    ident: str,
    error: str = AWAY,
    state: str = "claimed",
    *,
    dependency: str = "photos",
    **more: object,
) -> DropRecord:
    return replace(DropRecord(ident, state, 5, NOON - MINUTE, "read", error, "r1", None, dependency), **more)  # type: ignore[arg-type]


def context(
    *records: DropRecord, now=NOON, is_healthy: bool = True, max_redrives: int = 100
) -> TriageContext:
    known = {one.drop_id: one for one in records}
    return TriageContext(known, lambda _: is_healthy, now, TriagePolicy(max_redrives=max_redrives))


def kinds(decisions: Sequence[object]) -> list[str]:
    return [type(one).__name__ for one in decisions]


def one_case(cases: dict[str, FaultCase]) -> FaultCase:
    (case,) = cases.values()
    return case


def tried(error: str = AWAY, **more: object) -> dict[str, FaultCase]:
    """The cases after a first run sent `a` ahead."""
    _, cases = triage(
        [dead_letter("a"), dead_letter("b")], {}, context(record("a", error), record("b", error))
    )
    return {ident: replace(case, **more) for ident, case in cases.items()}  # type: ignore[arg-type]


def test_a_new_fault_is_reported_once_and_one_dead_letter_is_redriven_first():
    decisions, cases = triage([dead_letter("a"), dead_letter("b")], {}, context(record("a"), record("b")))

    assert kinds(decisions) == ["NewFault", "Redrive", "Leave"]
    assert one_case(cases).canary_drop_id == "a"


def test_dead_letters_wait_while_the_dependency_is_unhealthy():
    first, cases = triage([dead_letter("a")], {}, context(record("a"), is_healthy=False))
    second, _ = triage([dead_letter("a")], cases, context(record("a"), is_healthy=False, now=NOON + MINUTE))

    assert (kinds(first), kinds(second)) == (["NewFault", "Leave"], ["Leave"])


def test_the_others_wait_for_the_canary():
    decisions, _ = triage([dead_letter("b")], tried(), context(record("a"), record("b"), now=NOON + MINUTE))

    assert kinds(decisions) == ["Leave"]


def test_a_canary_that_succeeds_lets_the_others_follow():
    known = context(record("a", state="done"), record("b"), record("c"), now=NOON + MINUTE, max_redrives=1)

    decisions, cases = triage([dead_letter("b"), dead_letter("c")], tried(), known)

    assert kinds(decisions) == ["Redrive", "Leave"]
    assert one_case(cases).phase == "resolved"


def test_a_failed_canary_is_redriven_after_longer_and_longer_waits():
    later = NOON + MINUTE
    back = [dead_letter("a", redrives=1, sent=NOON)]
    _, failed = triage(back, tried(), context(record("a"), now=later))

    soon, _ = triage(back, failed, context(record("a"), now=later + MINUTE / 2))
    then, _ = triage(back, failed, context(record("a"), now=later + MINUTE))

    assert (kinds(soon), kinds(then)) == (["Leave"], ["Redrive"])
    assert (
        TriagePolicy().backoff(1)
        < TriagePolicy().backoff(2)
        < TriagePolicy().backoff(50)
        == timedelta(hours=1)
    )


def test_suspects_are_redriven_at_a_steady_pace():
    """Waiting proves nothing of them, and each was tried and hidden in its lane for long."""
    resting = tried("", phase="backing-off", failures=9)

    (soon,), _ = triage([suspect("a")], resting, context(record("a", ""), now=NOON + MINUTE / 2))
    (then,), _ = triage([suspect("a")], resting, context(record("a", ""), now=NOON + MINUTE))

    assert kinds([soon, then]) == ["Leave", "Redrive"]


def test_a_canary_without_an_outcome_counts_as_failed():
    _, cases = triage([dead_letter("b")], tried(), context(record("a"), record("b"), now=NOON + 11 * MINUTE))

    assert one_case(cases).phase == "backing-off"


def test_returned_dead_letters_stop_the_redrive_again():
    mended = tried(phase="resolved", since=NOON)

    decisions, cases = triage(
        [dead_letter("b", redrives=1, sent=NOON + MINUTE)],
        mended,
        context(record("b"), now=NOON + 2 * MINUTE),
    )

    assert kinds(decisions) == ["Leave"]
    assert one_case(cases).phase == "backing-off"


def test_dead_letters_from_before_the_resolution_do_not_stop_the_redrive():
    mended = tried(phase="resolved", since=NOON + MINUTE)

    decisions, _ = triage([dead_letter("b", redrives=1)], mended, context(record("b"), now=NOON + 2 * MINUTE))

    assert kinds(decisions) == ["Redrive"]


@pytest.mark.parametrize(("error", "reason"), [(BUG, "bug"), ("", "kills-workers")])
def test_a_suspect_that_fails_again_is_quarantined(error: str, reason: str):
    known = context(record("a", error, attempts=8), record("b", error))

    decisions, _ = triage([suspect("a"), dead_letter("b")], tried(error), known)

    quarantine = decisions[0]
    assert isinstance(quarantine, Quarantine)
    assert (quarantine.reason, quarantine.drops) == (reason, (drop("a"),))
    assert kinds(decisions) == ["Quarantine", "Leave"]


@pytest.mark.parametrize("attempts", [5, 6, 7])
def test_a_drop_with_too_few_new_attempts_is_not_quarantined(attempts: int):
    """What starves or kills workers once or twice may be another's fault."""
    decisions, _ = triage([suspect("a")], tried(""), context(record("a", "", attempts=attempts)))

    assert kinds(decisions) == ["Leave"]


def test_failures_before_the_suspicion_do_not_count():
    """Its store was away the first time, and however often it was tried then."""
    back = dead_letter("a", redrives=1)

    decisions, _ = triage([back], tried(""), context(record("a", "", attempts=50), now=NOON + 11 * MINUTE))
    (sent,) = [
        one
        for one in triage([back], {}, context(record("a", "", attempts=50)))[0]
        if isinstance(one, Redrive)
    ]

    assert kinds(decisions) == ["Leave"]
    assert sent.suspect == SuspectDrop("a", 50)


def test_failures_of_a_suspect_accumulate_until_it_is_quarantined():
    resting = tried("", phase="backing-off", failures=1)
    twice = context(record("a", "", attempts=7), now=NOON + 61 * MINUTE)

    (again,), _ = triage([suspect("a")], resting, twice)

    assert isinstance(again, Redrive)
    assert again.suspect == SuspectDrop("a", 5)


def test_a_transient_failure_clears_a_suspect():
    mended = tried(phase="resolved", since=NOON + MINUTE)

    (sent,), _ = triage([suspect("a")], mended, context(record("a", attempts=9)))

    assert isinstance(sent, Redrive)
    assert sent.suspect is None


def test_a_suspicion_concerns_one_drop_of_a_message():
    both = replace(suspect("a"), drops=(drop("a"), drop("b")))
    known = context(record("a", state="done"), record("b", "", attempts=9))

    sent = triage([both], {}, known)[0][-1]

    assert isinstance(sent, Redrive)
    assert sent.suspect == SuspectDrop("b", 9)


def test_drops_that_may_kill_their_workers_are_redriven_at_intervals():
    """A batch whose worker is killed takes all that are in it along."""
    lost = tried("", phase="backing-off", failures=2)
    known = context(*[record(name, "") for name in "bcde"], now=NOON + 61 * MINUTE)

    decisions, _ = triage([dead_letter(name) for name in "bcde"], lost, known)

    afters = [one.delay for one in decisions if isinstance(one, Redrive)]
    assert afters == [TriagePolicy().suspect_interval * place for place in range(4)]


@pytest.mark.parametrize(("failures", "ahead"), [(0, 1), (1, 2), (3, 8), (9, 8)])
def test_more_suspects_are_redriven_together_after_each_failed_canary(failures: int, ahead: int):
    lost = tried(BUG, phase="backing-off", failures=failures)
    names = "bcdefghijkl"

    decisions, _ = triage(
        [dead_letter(name) for name in names],
        lost,
        context(*[record(name, BUG) for name in names], now=NOON + 61 * MINUTE),
    )

    assert kinds(decisions) == ["Redrive"] * ahead + ["Leave"] * (len(names) - ahead)


def test_after_a_success_suspects_follow_a_few_at_a_time():
    names = "bcdefghijkl"
    known = context(record("a", "", state="done"), *[record(name, "") for name in names], now=NOON + MINUTE)

    decisions, _ = triage([dead_letter(name) for name in names], tried(""), known)

    assert kinds(decisions) == ["Redrive"] * 8 + ["Leave"] * 3


def test_a_quarantined_canary_does_not_count_as_a_success():
    known = context(record("a", BUG, state="quarantined"), record("b", BUG), now=NOON + MINUTE)

    decisions, cases = triage([dead_letter("b")], tried(BUG), known)

    assert (kinds(decisions), one_case(cases).phase) == (["Leave"], "backing-off")


def test_a_dead_letter_whose_drops_are_terminal_is_discarded():
    decisions, cases = triage([dead_letter("a")], {}, context(record("a", state="done")))

    assert (kinds(decisions), cases) == (["Discard"], {})


def test_an_empty_dead_letter_is_discarded():
    decisions, _ = triage([replace(dead_letter("a"), drops=())], {}, context())

    assert kinds(decisions) == ["Discard"]


def test_a_dead_letter_with_an_active_lease_waits():
    decisions, _ = triage([dead_letter("a")], {}, context(record("a", lease_until=NOON + MINUTE)))

    assert kinds(decisions) == ["Leave"]


def test_a_message_that_was_never_claimed_is_redriven_as_a_canary():
    decisions, cases = triage([dead_letter("a")], {}, context())

    assert kinds(decisions) == ["NewFault", "Redrive"]
    assert one_case(cases).fingerprint.kind == "NeverClaimed"


def test_every_dead_letter_gets_exactly_one_decision():
    letters = [dead_letter(name) for name in "abcdef"]
    known = context(record("a"), record("b", BUG), record("c", state="done"), record("d", ""), record("e"))

    decisions, _ = triage(letters, {}, known)

    decided = [one.dead_letter.id for one in decisions if not isinstance(one, NewFault)]
    assert sorted(decided) == sorted(one.id for one in letters)
    assert all(one.reason for one in decisions if isinstance(one, Redrive | Leave | Quarantine | Discard))


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
    assert fingerprint_of(record("a", f"Transient: {one}")) == fingerprint_of(
        record("b", f"Transient: {other}")
    )


@pytest.mark.parametrize(
    "change", [{"stage": "save"}, {"error": "Transient: write x: y"}, {"error": BUG}, {"release": "r2"}]
)
def test_failures_that_differ_in_stage_kind_or_release_do_not(change: dict[str, str]):
    assert fingerprint_of(record("a")).id != fingerprint_of(record("a", **change)).id


def test_a_fingerprint_names_the_dependency_that_the_record_names():
    assert fingerprint_of(record("a")).dependency == "photos"
    assert fingerprint_of(record("a", dependency="records")).dependency == "records"
    assert fingerprint_of(record("a", "")).kind == "WorkerDied"
