"""Sketches add up by the hour, whoever adds; what was not there is zero."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloud.dynamodb.counters import DynamoSketches, sketch_from_row, sketch_to_row
from cloud.dynamodb.training_jobs import TrainingRun
from functions.runtime.container import container
from functions.runtime.release_drift import measure_all_drift
from functions.runtime.telemetry import DriftTelemetry
from functions.runtime.training_service import ALARM_LOST_AFTER, drifted_models
from tests.fakes.memory import NOON
from tests.fakes.onnx_classifier import write_classifier
from vigil.drops.messages import Drop, InlinePayload
from vigil.errors import Transient
from vigil.inference.types import Prediction, Sighting
from vigil.releases.drift import OutputSketch, sketch_of
from vigil.training.jobs import TrainingSpec, new_job

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


def test_a_containers_sketches_are_told_together_and_again_where_that_failed():
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


# MERGED: Drift is measured on the active release, against its reference; a lesson follows once, and not too
#   soon.

MODEL = "tiny-colours"


def sketch_with_score(score: float, count: int = 300) -> OutputSketch:
    return sketch_of(Sighting("red", "known", score) for _ in range(count))


@pytest.fixture
def release(
    aws: Callable[[str], Any], table: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The bundled release of a model that was taught long ago, where a function has its environment."""
    environment = {"RECORDS_TABLE": "t", "STORE_BUCKET": "bucket", "METRICS_NAMESPACE": "Vigil/test"}
    environment |= {"MODELS_DIR": str(tmp_path), "MINUTE_SECONDS": "60", "AWS_DEFAULT_REGION": "eu-west-1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    write_classifier(tmp_path, MODEL)
    container.cache_clear()
    container().state_store.put("trained_models", {"models": [MODEL]})
    record_training(timedelta(days=8))
    yield str(container().candidate_releases.bundled_release_id(MODEL))
    container.cache_clear()


def record_training(ago: timedelta) -> None:
    container().state_store.put(
        f"last_training#{MODEL}", {"data": "d1", "at": (datetime.now(UTC) - ago).isoformat()}
    )


def record_sketch(release: str, sketch: OutputSketch) -> None:
    container().output_sketches.add(MODEL, release, sketch, datetime.now(UTC))


def test_a_model_that_sees_another_world_is_to_be_taught_and_a_metric_says_so(
    release: str, capsys: pytest.CaptureFixture[str]
):
    container().state_store.put(f"drift_reference#{MODEL}#{release}", sketch_to_row(sketch_with_score(0.95)))
    record_sketch(release, sketch_with_score(0.45))

    assert list(drifted_models()) == [MODEL]
    assert '"service": "drift"' in capsys.readouterr().out


def test_one_that_was_taught_lately_is_not(release: str):
    container().state_store.put(f"drift_reference#{MODEL}#{release}", sketch_to_row(sketch_with_score(0.95)))
    record_sketch(release, sketch_with_score(0.45))
    record_training(timedelta(days=6))

    assert list(drifted_models()) == []


def test_one_that_a_job_is_under_way_for_is_not(release: str):
    container().state_store.put(f"drift_reference#{MODEL}#{release}", sketch_to_row(sketch_with_score(0.95)))
    record_sketch(release, sketch_with_score(0.45))
    lesson = TrainingSpec("classifier", MODEL, "d1", "", None, "image")
    container().training_jobs.save(TrainingRun(new_job(lesson, datetime.now(UTC))))

    assert list(drifted_models()) == []


def test_a_tick_waits_for_the_alarm_before_it_takes_it_for_lost(release: str):
    container().state_store.put(f"drift_reference#{MODEL}#{release}", sketch_to_row(sketch_with_score(0.95)))
    record_sketch(release, sketch_with_score(0.45))
    at_once = list(drifted_models(ALARM_LOST_AFTER))
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    container().state_store.put(f"drift#{MODEL}", {"since": long_ago.isoformat()})

    assert (at_once, list(drifted_models(ALARM_LOST_AFTER))) == ([], [MODEL])


def test_a_release_that_nobody_examined_is_held_against_what_it_saw_first(release: str):
    record_sketch(release, sketch_with_score(0.95, 400))
    first = dict(measure_all_drift())
    record_sketch(release, sketch_with_score(0.95, 300))
    same = dict(measure_all_drift())
    record_sketch(release, sketch_with_score(0.3, 900))

    assert first == {}
    assert [one.exceeded for one in same.values()] == [()]
    assert measure_all_drift()[MODEL].exceeded == ("scores",)


def test_what_another_release_sees_says_nothing_of_the_active_one(release: str):
    container().state_store.put(f"drift_reference#{MODEL}#other", sketch_to_row(sketch_with_score(0.95)))
    record_sketch("other", sketch_with_score(0.45))

    assert dict(measure_all_drift()) == {}
