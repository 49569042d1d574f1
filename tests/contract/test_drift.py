"""Sketches add up by the hour, whoever adds; what was not there is zero."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloud.dynamodb.sketches import DynamoSketches, sketch_from_row, sketch_to_row
from functions import training_jobs
from functions.runtime.container import Container
from functions.runtime.settings import Settings
from functions.runtime.telemetry import DriftTelemetry
from tests.fakes.memory import NOON
from tests.fakes.onnx_classifier import write_classifier
from vigil.drops.messages import Drop, InlinePayload
from vigil.errors import Transient
from vigil.inference.types import Prediction, Sighting
from vigil.releases.drift import OutputSketch, sketch_of
from vigil.training.jobs import TrainingRun, TrainingSpec, new_job
from vigil.training.service import LastTraining

SIGHTINGS = (
    Sighting("p", "known", 0.8, vector=np.full(4, 0.5, np.float32)),
    Sighting("unknown", "unknown", 0.1),
)
SKETCH = sketch_of(SIGHTINGS)


def is_equal(one: OutputSketch, other: OutputSketch) -> bool:
    counts = [(each.items, each.unknown, each.score_counts, each.embeddings) for each in (one, other)]
    return counts[0] == counts[1] and bool(np.allclose(one.fourier_sums, other.fourier_sums, atol=1e-5))


def test_what_containers_add_is_summed_up_by_release(table: Any):
    sketches = DynamoSketches(table, "t")
    for minutes in (0, 30, 70):
        sketches.add("faces", "r1", SKETCH, NOON + timedelta(minutes=minutes))
    sketches.add("faces", "r2", SKETCH, NOON)

    assert is_equal(sketches.sum_since("faces", "r1", NOON + timedelta(minutes=40)), SKETCH + SKETCH + SKETCH)
    assert is_equal(sketches.sum_since("faces", "r1", NOON + timedelta(minutes=60)), SKETCH)
    assert sketches.sum_since("faces", "r3", NOON) == OutputSketch()
    assert sorted(sketches.known_releases()) == [("faces", "r1"), ("faces", "r2")]


def test_a_sketch_is_read_as_it_was_written():
    assert is_equal(sketch_from_row(sketch_to_row(SKETCH)), SKETCH)
    assert sketch_from_row({}) == OutputSketch()


def test_a_containers_sketches_are_saved_together_and_again_after_a_failure():
    told: list[OutputSketch] = []
    away = [True]

    def tell(model: str, release: str, sketch: OutputSketch, now: Any) -> None:
        if away.pop() if away else False:
            raise Transient("away", dependency="records", operation="read states")
        told.append(sketch)

    noticing = DriftTelemetry(tell)
    for source in ("door", "door", "canary"):
        noticing.record_prediction(
            Drop("d", "faces", source, InlinePayload(b""), NOON), "r1", Prediction(SIGHTINGS, 2)
        )
    failed = _flush_fails(noticing)
    noticing._last_saved_s = float("-inf")
    noticing.flush(NOON)
    noticing.flush(NOON)

    assert failed
    assert [is_equal(one, SKETCH + SKETCH) for one in told] == [True]


def _flush_fails(telemetry: DriftTelemetry) -> bool:
    try:
        telemetry.flush(NOON)
    except Transient:
        return True
    return False


MODEL = "tiny-colours"
SETTINGS = {
    "RECORDS_TABLE": "t",
    "PEOPLE_TABLE": "t",
    "STORE_BUCKET": "bucket",
    "METRICS_NAMESPACE": "Vigil/test",
    "MINUTE_SECONDS": "60",
    "TRAINER_IMAGE": "image",
    "TRAINING_ROLE": "role",
    "TRAINING_SPOT": "true",
    "STORE_KEY": "key",
    "ENROLMENT_MODEL": "faces",
    "STORE_REFERENCE_IMAGES": "true",
}


def sketch_with_score(score: float, count: int = 300) -> OutputSketch:
    return sketch_of(Sighting("red", "known", score) for _ in range(count))


@pytest.fixture
def trained(
    aws: Callable[[str], Any], table: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Container:
    """The container of a function; the bundled release of MODEL is active, its last training is old."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    write_classifier(tmp_path, MODEL)
    container = Container(Settings(SETTINGS | {"MODELS_DIR": str(tmp_path)}))
    monkeypatch.setattr(training_jobs, "container", lambda: container)
    record_training(container, timedelta(days=8))
    return container


def active_release(container: Container) -> str:
    return str(container.candidate_releases.active_release_id(MODEL))


def record_training(container: Container, ago: timedelta) -> None:
    container.training_state.save_last_training(MODEL, LastTraining("d1", datetime.now(UTC) - ago))


def record_sketch(container: Container, sketch: OutputSketch, release: str = "") -> None:
    container.output_sketches.add(MODEL, release or active_release(container), sketch, datetime.now(UTC))


def save_reference(container: Container, release: str = "") -> None:
    reference = sketch_with_score(0.95)
    container.training_state.save_reference(MODEL, release or active_release(container), reference)


def drifted_models(container: Container, min_duration: timedelta = timedelta(0)) -> list[str]:
    return list(container.training.drifted_models(training_jobs._measure_drift(), min_duration))


def test_a_model_whose_outputs_change_has_drifted_and_a_metric_is_emitted(
    trained: Container, capsys: pytest.CaptureFixture[str]
):
    save_reference(trained)
    record_sketch(trained, sketch_with_score(0.45))

    assert drifted_models(trained) == [MODEL]
    assert '"service": "drift"' in capsys.readouterr().out


def test_a_model_that_was_trained_recently_is_not_retrained(trained: Container):
    save_reference(trained)
    record_sketch(trained, sketch_with_score(0.45))
    record_training(trained, timedelta(days=6))

    assert drifted_models(trained) == []


def test_a_model_with_an_open_job_is_not_retrained(trained: Container):
    save_reference(trained)
    record_sketch(trained, sketch_with_score(0.45))
    spec = TrainingSpec("classifier", MODEL, "d1", "", None, "image")
    trained.training_jobs.save(TrainingRun(new_job(spec, datetime.now(UTC))))

    assert drifted_models(trained) == []


def test_the_schedule_orders_a_training_only_when_the_alarm_must_be_lost(trained: Container):
    save_reference(trained)
    record_sketch(trained, sketch_with_score(0.45))
    at_once = drifted_models(trained, training_jobs.ALARM_LOST_AFTER)
    trained.training_state.save_drifting_since(MODEL, datetime.now(UTC) - timedelta(hours=1))

    assert (at_once, drifted_models(trained, training_jobs.ALARM_LOST_AFTER)) == ([], [MODEL])


def test_a_release_that_was_not_evaluated_here_is_measured_against_its_first_outputs(trained: Container):
    record_sketch(trained, sketch_with_score(0.95, 400))
    first = training_jobs._measure_drift()
    record_sketch(trained, sketch_with_score(0.95, 300))
    same = training_jobs._measure_drift()
    record_sketch(trained, sketch_with_score(0.3, 900))

    assert first == {}
    assert [one.exceeded for one in same.values()] == [()]
    assert training_jobs._measure_drift()[MODEL].exceeded == ("scores",)


def test_the_outputs_of_another_release_do_not_count_for_the_active_one(trained: Container):
    save_reference(trained, "other")
    record_sketch(trained, sketch_with_score(0.45), "other")

    assert training_jobs._measure_drift() == {}
