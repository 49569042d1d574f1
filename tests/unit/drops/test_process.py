"""Processing one drop, by what the ledger records."""

import hashlib
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
from vigil.drops.prediction import ReleaseAssignment
from vigil.drops.process import (
    DropInProgress,
    InsufficientTime,
    Invocation,
    ProcessingPorts,
    process_drop,
)
from vigil.errors import DamagedRelease, MalformedMessage, Transient
from vigil.inference.types import Prediction, Sighting
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


def model_of(ports: ProcessingPorts) -> FakeModel:
    assert isinstance(ports.router, SingleModel)
    return ports.router.model


def clock(ports: ProcessingPorts) -> FakeClock:
    assert isinstance(ports.clock, FakeClock)
    return ports.clock


def invocation(owner: str = "w1", at: FakeClock | None = None) -> Invocation:
    return Invocation(owner, (at or FakeClock())() + LEASE, LEASE)


def drop(origin: S3Object | InlinePayload = PHOTO, model: str = "eye", ident: str = "d1") -> Drop:
    return Drop(ident, model, "vault", origin, NOON)


def test_a_drop_is_done_with_its_sightings_and_alerts():
    w = processing_ports()

    processed = process_drop(drop(), w, invocation())

    assert (processed.outcome, processed.sightings, processed.alerts) == ("done", 1, 1)
    assert ledger(w).records["d1"].state == "done"
    assert ledger(w).sightings == {"d1": PREDICTION.sightings}


def test_a_job_without_a_version_is_read_in_one_version_of_its_object():
    w = processing_ports()

    processed = process_drop(drop(S3Object(PHOTO.bucket, PHOTO.key)), w, invocation())

    assert processed.outcome == "done"


def test_a_drop_delivered_five_times_is_done_once():
    w = processing_ports()

    outcomes = [process_drop(drop(), w, invocation(f"w{n}")).outcome for n in range(5)]

    assert outcomes == ["done"] + ["duplicate"] * 4
    assert [count for _, count in ledger(w).alerts.values()] == [1]


def test_stages_are_timed():
    processed = process_drop(drop(), processing_ports(), invocation())

    assert processed.times_ms is not None
    assert set(processed.times_ms) == {"claim", "read", "predict", "evaluate", "save"}


@pytest.mark.parametrize(
    ("arrival", "reason"),
    [
        (drop(S3Object("photos", "live/eye/vault/gone.jpg", "v1")), "object-not-found"),
        (drop(InlinePayload(b"x" * 1001)), "object-too-large"),
        (drop(model="ear"), "unknown-model"),
        (InvalidMessage("d1", None, NOON, MalformedMessage("no")), "malformed-message"),
    ],
)
def test_bad_input_is_rejected_with_its_reason_and_not_repeated(arrival: Drop | InvalidMessage, reason: str):
    w = processing_ports()

    first, second = process_drop(arrival, w, invocation()), process_drop(arrival, w, invocation("w2"))

    assert (first.outcome, first.reason, second.outcome) == ("rejected", reason, "duplicate")
    assert ledger(w).records["d1"].reason == reason


@pytest.mark.parametrize("name", ["a.jfif", "a.jpe", "a.JPG", "a", "a.b c", "film.mp4"])
def test_the_ending_of_a_name_does_not_decide_whether_an_object_is_read(name: str):
    w = processing_ports()
    stored = S3Object("photos", f"live/eye/vault/{name}", "v1")
    w = replace(w, objects=MemoryInputReader({(stored.key, "v1"): b"photo"}))

    assert process_drop(drop(stored), w, invocation()).outcome == "done"


def test_a_transient_failure_releases_the_lease_and_records_its_stage():
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


def test_every_transient_failure_is_recorded_under_the_name_of_its_family():
    class Stale(Transient):
        pass

    def fail() -> None:
        raise Stale("of another embedding", dependency="people", operation="compare")

    w = processing_ports(FakeModel(PREDICTION, before_predict=fail))

    with pytest.raises(Stale):
        process_drop(drop(), w, invocation())

    assert ledger(w).records["d1"].error == "Transient: compare: of another embedding"


def test_the_next_attempt_completes_a_drop_that_failed():
    failures = iter([True, False])

    def fail_once() -> None:
        if next(failures):
            raise ZeroDivisionError

    w = processing_ports(FakeModel(PREDICTION, before_predict=fail_once))
    with pytest.raises(ZeroDivisionError):
        process_drop(drop(), w, invocation())

    processed = process_drop(drop(), w, invocation("w2"))

    assert (processed.outcome, processed.attempt) == ("done", 2)


def test_a_drop_that_another_worker_holds_is_not_processed():
    w = processing_ports()
    ledger(w).claim(drop(), owner="other", now=NOON, until=NOON + LEASE)

    with pytest.raises(DropInProgress) as raised:
        process_drop(drop(), w, invocation())

    assert raised.value.until == NOON + LEASE


def test_a_drop_of_a_dead_worker_is_free_when_its_lease_ends():
    w = processing_ports()
    ledger(w).claim(drop(), owner="dead", now=NOON, until=NOON + LEASE)
    clock(w).advance(20)

    processed = process_drop(drop(), w, invocation("w2", clock(w)))

    assert (processed.outcome, processed.attempt) == ("done", 2)


def test_a_worker_that_slept_past_its_lease_saves_nothing():
    w = processing_ports()

    def sleep_past_the_lease() -> None:
        model_of(w).before_predict = lambda: None
        clock(w).advance(30)
        process_drop(drop(), w, invocation("w2", clock(w)))

    model_of(w).before_predict = sleep_past_the_lease

    with pytest.raises(LeaseLost):
        process_drop(drop(), w, invocation("w1"))

    assert [count for _, count in ledger(w).alerts.values()] == [1]


def test_a_slow_drop_renews_its_lease_but_not_beyond_its_invocation():
    w = processing_ports()
    model_of(w).before_predict = lambda: clock(w).advance(12)

    process_drop(drop(), w, Invocation("w1", NOON + timedelta(seconds=25), LEASE))

    assert ledger(w).records["d1"].until == NOON + timedelta(seconds=25)


def test_a_second_attempt_records_every_stage():
    w = processing_ports()
    model_of(w).before_predict = lambda: stages.append(ledger(w).records["d1"].stage)
    stages: list[str] = []
    ledger(w).claim(drop(), owner="dead", now=NOON, until=NOON)

    process_drop(drop(), w, invocation("w2"))

    assert stages == ["predict"]


def test_an_unknown_subject_in_two_drops_at_once_is_one_alert():
    vector = np.array([1, 0], np.float32)
    face = Sighting("unknown", "unknown", vector=vector, same_subject_threshold=0.9)
    w = processing_ports(FakeModel(Prediction((face,), 1)))
    other = replace(drop(InlinePayload(b"x")), id="d2")
    recall = ledger(w).unknown_subjects

    def recall_while_another_commits(source: str, window: str) -> object:
        subjects = recall(source, window)
        if "d2" not in ledger(w).records:
            process_drop(other, w, invocation("w2"))
        return subjects

    ledger(w).unknown_subjects = recall_while_another_commits  # type: ignore[method-assign, assignment]

    process_drop(drop(InlinePayload(b"x")), w, invocation())

    assert [count for _, count in ledger(w).alerts.values()] == [2]


def test_degraded_options_reach_the_model_and_are_noted_on_the_drop():
    model = FakeModel(PREDICTION)
    step = DegradationStep("large-faces-only", set_options={"detect": "320"})
    w = replace(processing_ports(model), degradation_steps=lambda: (step,))

    process_drop(drop(), w, invocation())

    result = ledger(w).records["d1"].result
    assert result is not None
    assert (model.received_options, result.prediction.notes) == (
        [{"detect": "320"}],
        {"degraded": "large-faces-only"},
    )


def test_a_skipped_frame_of_a_burst_is_done_without_being_read():
    model = FakeModel(PREDICTION)
    rules = parse_rules('rules = []\n[sources."vault*"]\noptions = { burst = true }')
    w = replace(
        processing_ports(model),
        rules=lambda: rules,
        degradation_steps=lambda: (DegradationStep("bursts-sampled", sample_one_in=2),),
    )

    process_drop(drop(ident="02"), w, invocation())
    unread = replace(w, objects=MemoryInputReader({}))

    processed = process_drop(drop(ident="01"), unread, invocation())

    result = ledger(w).records["01"].result
    assert result is not None
    assert (processed.outcome, processed.sightings, len(model.received_options)) == ("done", 0, 1)
    assert result.prediction.notes == {"degraded": "bursts-sampled"}


def test_the_next_frame_of_a_burst_is_processed_if_the_first_is_unreadable():
    model = FakeModel(PREDICTION)
    rules = parse_rules('rules = []\n[sources."vault*"]\noptions = { burst = true }')
    w = replace(
        processing_ports(model),
        rules=lambda: rules,
        degradation_steps=lambda: (DegradationStep("bursts-sampled", sample_one_in=2),),
    )

    first = process_drop(drop(S3Object("b", "gone.jpg", "v1"), ident="02"), w, invocation())
    process_drop(drop(ident="01"), w, invocation())

    assert (first.outcome, len(model.received_options)) == ("rejected", 1)


def test_the_canary_is_recorded_and_raises_no_alert():
    w = replace(processing_ports(), canary_digest=hashlib.sha256(b"photo").hexdigest())

    processed = process_drop(replace(drop(), source="canary"), w, invocation())

    assert (processed.outcome, processed.sightings, processed.alerts) == ("done", 1, 0)


@pytest.mark.parametrize("source", ["canary", "canary-check"])
def test_another_picture_of_the_source_canary_raises_alerts(source: str):
    w = replace(processing_ports(), canary_digest=hashlib.sha256(b"another photo").hexdigest())

    assert process_drop(replace(drop(), source=source), w, invocation()).alerts == 1


def test_the_photograph_of_the_canary_raises_alerts_at_other_sources():
    w = replace(processing_ports(), canary_digest=hashlib.sha256(b"photo").hexdigest())

    assert process_drop(drop(), w, invocation()).alerts == 1


def test_the_options_of_the_source_reach_the_model():
    model = FakeModel(PREDICTION)
    w = processing_ports(model)

    process_drop(drop(), w, invocation())

    assert model.received_options == [{}]


def test_the_galleries_of_the_source_reach_the_model():
    model = FakeModel(PREDICTION)
    rules = parse_rules('rules = []\n[sources."vault*"]\ngalleries = ["staff", "members"]')
    w = replace(processing_ports(model), rules=lambda: rules)

    process_drop(replace(drop(), source="vault-1"), w, invocation())

    assert model.received_options == [{"galleries": "staff members"}]


def test_a_drop_is_not_begun_shortly_before_the_end_of_the_invocation():
    w = processing_ports()

    with pytest.raises(InsufficientTime):
        process_drop(drop(), w, Invocation("w1", NOON + LEASE / 2 - timedelta(seconds=1), LEASE))

    assert ledger(w).records == {}
    assert process_drop(drop(), w, Invocation("w2", NOON + LEASE / 2, LEASE)).outcome == "done"


def test_a_damaged_release_is_named_in_the_ledger_and_the_drop_can_be_retried():
    w = processing_ports()
    damage = DamagedRelease("face-embed", "0123456789abcdef0123456789abcdef", "model.onnx")

    class DamagedRouter:
        def assign(self, drop: Drop) -> ReleaseAssignment:
            raise damage

    with pytest.raises(DamagedRelease):
        process_drop(drop(), replace(w, router=DamagedRouter()), invocation())

    record = ledger(w).records["d1"]
    fingerprint = fingerprint_of(
        DropRecord("d1", record.state, 1, NOON, record.stage, record.error, record.release)
    )
    assert (record.state, fingerprint.release, fingerprint.kind) == (
        "claimed",
        damage.release,
        "DamagedRelease",
    )
    assert fingerprint.message == "face-embed/model.onnx of release <id> is damaged"
    assert fingerprint.is_transient
    assert process_drop(drop(), w, invocation("another")).outcome == "done"
