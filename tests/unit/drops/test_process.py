"""The way of one drop, told by the ledger."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from tests.fakes.memory import (
    NOON,
    FakeClock,
    FakeModel,
    MemoryInputReader,
    MemoryLedger,
    SingleModel,
)
from vigil.alerts.rules import default_rules, parse_rules
from vigil.drops.ledger import DropRecord, LeaseLost
from vigil.drops.messages import (
    Drop,
    InlinePayload,
    InvalidMessage,
    S3Object,
)
from vigil.drops.process import (
    DropInProgress,
    InsufficientTime,
    Invocation,
    ProcessingPorts,
    process_drop,
)
from vigil.errors import DamagedRelease, MalformedMessage, Transient
from vigil.inference.types import Model, Prediction, Sighting
from vigil.reliability.dead_letters import fingerprint_of
from vigil.reliability.degradation import DegradationStep

PHOTO = S3Object("photos", "live/eye/vault/a.jpg", "v1")
PREDICTION = Prediction((Sighting("p-1", "known", 0.9, tags=frozenset({"watch"})),), found=1)
LEASE = timedelta(seconds=20)


def processing_ports(model: FakeModel | None = None) -> ProcessingPorts:
    objects = MemoryInputReader({(PHOTO.key, "v1"): b"photo"})
    return ProcessingPorts(
        MemoryLedger(), objects, SingleModel(model or FakeModel(PREDICTION)), default_rules, FakeClock()
    )


def ledger(ports: ProcessingPorts) -> MemoryLedger:
    assert isinstance(ports.ledger, MemoryLedger)
    return ports.ledger


def clock(ports: ProcessingPorts) -> FakeClock:
    assert isinstance(ports.clock, FakeClock)
    return ports.clock


def invocation(owner: str = "w1", at: FakeClock | None = None) -> Invocation:
    return Invocation(owner, (at or FakeClock())() + LEASE, LEASE)


def drop(origin: S3Object | InlinePayload = PHOTO, model: str = "eye", ident: str = "d1") -> Drop:
    return Drop(ident, model, "vault", origin, NOON)


def test_a_drop_is_done_with_its_sightings_and_alerts():
    w = processing_ports()

    verdict = process_drop(drop(), w, invocation())

    assert (verdict.outcome, verdict.sightings, verdict.alerts) == ("done", 1, 1)
    assert ledger(w).records["d1"].state == "done"
    assert ledger(w).sightings == {"d1": PREDICTION.sightings}


def test_a_drop_delivered_five_times_is_done_once():
    w = processing_ports()

    outcomes = [process_drop(drop(), w, invocation(f"w{n}")).outcome for n in range(5)]

    assert outcomes == ["done"] + ["duplicate"] * 4
    assert [count for _, count in ledger(w).alerts.values()] == [1]


def test_stages_are_timed():
    verdict = process_drop(drop(), processing_ports(), invocation())

    assert verdict.times_ms is not None
    assert set(verdict.times_ms) == {"claim", "read", "predict", "evaluate", "save"}


@pytest.mark.parametrize(
    ("arrival", "reason"),
    [
        (drop(S3Object("photos", "live/eye/vault/gone.jpg", "v1")), "object-not-found"),
        (drop(S3Object("photos", "live/eye/vault/film.mp4", "v1")), "wrong-type"),
        (drop(InlinePayload(b"x" * 1001)), "object-too-large"),
        (drop(model="ear"), "unknown-model"),
        (InvalidMessage("d1", None, NOON, MalformedMessage("no")), "malformed-message"),
    ],
)
def test_bad_input_is_rejected_with_its_reason_and_never_again(arrival: Drop | InvalidMessage, reason: str):
    w = processing_ports()

    first, second = process_drop(arrival, w, invocation()), process_drop(arrival, w, invocation("w2"))

    assert (first.outcome, first.reason, second.outcome) == ("rejected", reason, "duplicate")
    assert ledger(w).records["d1"].reason == reason


def test_a_failure_that_may_pass_lets_the_lease_go_and_tells_where_it_failed():
    def fail() -> None:
        raise Transient("away", dependency="store", operation="read gallery")

    w = processing_ports(FakeModel(PREDICTION, before_predict=fail))

    with pytest.raises(Transient):
        process_drop(drop(), w, invocation())

    record = ledger(w).records["d1"]
    assert (record.state, record.stage, record.error) == (
        "claimed",
        "predict",
        "Transient: read gallery: away",
    )
    assert (record.until, record.dependency) == (NOON, "store")


def test_every_failure_that_may_pass_is_kept_under_its_familys_name():
    class Stale(Transient):
        pass

    def fail() -> None:
        raise Stale("of another embedding", dependency="people", operation="compare")

    w = processing_ports(FakeModel(PREDICTION, before_predict=fail))

    with pytest.raises(Stale):
        process_drop(drop(), w, invocation())

    assert ledger(w).records["d1"].error == "Transient: compare: of another embedding"


def test_the_next_attempt_takes_it_up():
    failures = iter([True, False])

    def fail_once() -> None:
        if next(failures):
            raise ZeroDivisionError

    w = processing_ports(FakeModel(PREDICTION, before_predict=fail_once))
    with pytest.raises(ZeroDivisionError):
        process_drop(drop(), w, invocation())

    verdict = process_drop(drop(), w, invocation("w2"))

    assert (verdict.outcome, verdict.attempt) == ("done", 2)


def test_a_drop_in_other_hands_is_left_there_until_the_lease_ends():
    w = processing_ports()
    ledger(w).claim(drop(), owner="other", now=NOON, until=NOON + LEASE)

    with pytest.raises(DropInProgress) as busy:
        process_drop(drop(), w, invocation())

    assert busy.value.until == NOON + LEASE


def test_a_worker_that_died_holds_a_drop_no_longer_than_its_lease():
    w = processing_ports()
    ledger(w).claim(drop(), owner="dead", now=NOON, until=NOON + LEASE)
    clock(w).advance(20)

    verdict = process_drop(drop(), w, invocation("w2", clock(w)))

    assert (verdict.outcome, verdict.attempt) == ("done", 2)


def test_a_worker_that_slept_past_its_lease_keeps_nothing():
    w = processing_ports()

    def sleep_and_be_overtaken() -> None:
        w.models.get("eye").before_predict = lambda: None  # type: ignore[attr-defined]
        clock(w).advance(30)
        process_drop(drop(), w, invocation("w2", clock(w)))

    w.models.get("eye").before_predict = sleep_and_be_overtaken  # type: ignore[attr-defined]

    with pytest.raises(LeaseLost):
        process_drop(drop(), w, invocation("w1"))

    assert [count for _, count in ledger(w).alerts.values()] == [1]


def test_a_slow_drop_renews_its_lease_but_never_past_its_workers_end():
    w = processing_ports()
    w.models.get("eye").before_predict = lambda: clock(w).advance(12)  # type: ignore[attr-defined]

    process_drop(drop(), w, Invocation("w1", NOON + timedelta(seconds=25), LEASE))

    assert ledger(w).records["d1"].until == NOON + timedelta(seconds=25)


def test_a_second_attempt_notes_every_stage_it_enters():
    w = processing_ports()
    w.models.get("eye").before_predict = lambda: seen.append(ledger(w).records["d1"].stage)  # type: ignore[attr-defined]
    seen: list[str] = []
    ledger(w).claim(drop(), owner="dead", now=NOON, until=NOON)

    process_drop(drop(), w, invocation("w2"))

    assert seen == ["predict"]


def test_a_stranger_seen_by_two_drops_at_once_is_one_alert():
    vector = np.array([1, 0], np.float32)
    face = Sighting("unknown", "unknown", vector=vector, same_subject_threshold=0.9)
    w = processing_ports(FakeModel(Prediction((face,), 1)))
    other = replace(drop(InlinePayload(b"x")), id="d2")
    recall = ledger(w).unknown_subjects

    def recall_while_another_commits(source: str, window: str) -> object:
        strangers = recall(source, window)
        if "d2" not in ledger(w).records:
            process_drop(other, w, invocation("w2"))
        return strangers

    ledger(w).unknown_subjects = recall_while_another_commits  # type: ignore[method-assign, assignment]

    process_drop(drop(InlinePayload(b"x")), w, invocation())

    assert [count for _, count in ledger(w).alerts.values()] == [2]


def test_what_is_given_up_under_strain_is_asked_of_the_model_and_noted_on_the_drop():
    eye = FakeModel(PREDICTION)
    step = DegradationStep("landmarks-once", set_options={"landmarks": "once"})
    w = replace(processing_ports(eye), degradation_steps=lambda: (step,))

    process_drop(drop(), w, invocation())

    result = ledger(w).records["d1"].result
    assert result is not None
    assert (eye.received_options, result.prediction.notes) == (
        [{"landmarks": "once"}],
        {"degraded": "landmarks-once"},
    )


def test_a_frame_left_out_of_a_burst_is_done_unread_and_says_so():
    eye = FakeModel(PREDICTION)
    watch = parse_rules('[sources."vault*"]\noptions = { burst = true }')
    w = replace(
        processing_ports(eye),
        rules=lambda: watch,
        degradation_steps=lambda: (DegradationStep("bursts-sampled", sample_one_in=2),),
    )

    process_drop(drop(ident="02"), w, invocation())
    unread = replace(w, objects=MemoryInputReader({}))

    verdict = process_drop(drop(ident="01"), unread, invocation())

    result = ledger(w).records["01"].result
    assert result is not None
    assert (verdict.outcome, verdict.sightings, len(eye.received_options)) == ("done", 0, 1)
    assert result.prediction.notes == {"degraded": "bursts-sampled"}


def test_after_a_first_frame_that_cannot_be_seen_the_next_of_the_burst_is_looked_at():
    eye = FakeModel(PREDICTION)
    watch = parse_rules('[sources."vault*"]\noptions = { burst = true }')
    w = replace(
        processing_ports(eye),
        rules=lambda: watch,
        degradation_steps=lambda: (DegradationStep("bursts-sampled", sample_one_in=2),),
    )

    first = process_drop(drop(S3Object("b", "gone.jpg", "v1"), ident="02"), w, invocation())
    process_drop(drop(ident="01"), w, invocation())

    assert (first.outcome, len(eye.received_options)) == ("rejected", 1)


def test_the_canary_is_recorded_and_raises_no_alert():
    w = processing_ports()

    verdict = process_drop(replace(drop(), source="canary"), w, invocation())

    assert (verdict.outcome, verdict.sightings, verdict.alerts) == ("done", 1, 0)


def test_the_source_asks_its_model_for_what_it_wants():
    eye = FakeModel(PREDICTION)
    w = processing_ports(eye)

    process_drop(drop(), w, invocation())

    assert eye.received_options == [{}]


def test_a_drop_is_not_begun_where_it_would_be_killed_with_its_batch():
    w = processing_ports()

    with pytest.raises(InsufficientTime):
        process_drop(drop(), w, Invocation("w1", NOON + LEASE / 2 - timedelta(seconds=1), LEASE))

    assert ledger(w).records == {}
    assert process_drop(drop(), w, Invocation("w2", NOON + LEASE / 2, LEASE)).outcome == "done"


def test_a_damaged_release_is_located_in_the_ledger_and_no_drop_is_to_blame():
    w = processing_ports()
    damage = DamagedRelease("face-embed", "0123456789abcdef", "model.onnx")

    class Damaged:
        def get(self, name: str) -> Model:
            raise damage

    with pytest.raises(DamagedRelease):
        process_drop(drop(), replace(w, models=Damaged()), invocation())

    record = ledger(w).records["d1"]
    mark = fingerprint_of(DropRecord("d1", record.state, 1, NOON, record.stage, record.error, record.release))
    assert (record.state, mark.release, mark.kind) == ("claimed", damage.release, "DamagedRelease")
    assert mark.message == "face-embed/model.onnx of release <id> is damaged"
    assert mark.is_transient
    assert process_drop(drop(), w, invocation("another")).outcome == "done"
