"""Drift is measured on the active release, against its reference; a lesson follows once, and not too soon."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloud.jobs import Kept
from cloud.sketches import written
from functions import drifting, learning, schooling, wiring
from tests.onnx_classifier import write_classifier
from vigil.learn.dispatch import want
from vigil.learn.sketch import Sketch, sketched
from vigil.learn.training import Lesson
from vigil.seeing import Sighting

MODEL = "tiny-colours"
BUILDERS = (
    *(learning.registry, learning.jobs, learning.states, learning.library, learning.examination),
    *(drifting.sketches, drifting.terms, wiring.client, wiring.shelf),
)


def seen(score: float, count: int = 300) -> Sketch:
    return sketched(Sighting("red", "known", score) for _ in range(count))


@pytest.fixture
def release(
    aws: Callable[[str], Any], table: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The bundled release of a model that was taught long ago, where a function has its environment."""
    told = {"RECORDS_TABLE": "t", "STORE_BUCKET": "bucket", "METRICS_NAMESPACE": "Vigil/test"}
    told |= {"MODELS_DIR": str(tmp_path), "MINUTE_SECONDS": "60", "AWS_DEFAULT_REGION": "eu-west-1"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    write_classifier(tmp_path, MODEL)
    for builder in BUILDERS:
        builder.cache_clear()
    learning.states().put("schools", {"models": [MODEL]})
    taught(timedelta(days=8))
    yield str(learning.examination().bundled(MODEL))
    for builder in BUILDERS:
        builder.cache_clear()


def taught(ago: timedelta) -> None:
    learning.states().put(f"taught#{MODEL}", {"data": "d1", "at": (datetime.now(UTC) - ago).isoformat()})


def shown(release: str, sketch: Sketch) -> None:
    drifting.sketches().add(MODEL, release, sketch, datetime.now(UTC))


def test_a_model_that_sees_another_world_is_to_be_taught_and_a_metric_says_so(
    release: str, capsys: pytest.CaptureFixture[str]
):
    learning.states().put(f"reference#{MODEL}#{release}", written(seen(0.95)))
    shown(release, seen(0.45))

    assert list(schooling.drifted()) == [MODEL]
    assert '"service": "drift"' in capsys.readouterr().out


def test_one_that_was_taught_lately_is_not(release: str):
    learning.states().put(f"reference#{MODEL}#{release}", written(seen(0.95)))
    shown(release, seen(0.45))
    taught(timedelta(days=6))

    assert list(schooling.drifted()) == []


def test_one_that_a_job_is_under_way_for_is_not(release: str):
    learning.states().put(f"reference#{MODEL}#{release}", written(seen(0.95)))
    shown(release, seen(0.45))
    lesson = Lesson("classifier", MODEL, "d1", "", None, "image")
    learning.jobs().keep(Kept(want(lesson, datetime.now(UTC))))

    assert list(schooling.drifted()) == []


def test_a_tick_waits_for_the_alarm_before_it_takes_it_for_lost(release: str):
    learning.states().put(f"reference#{MODEL}#{release}", written(seen(0.95)))
    shown(release, seen(0.45))
    at_once = list(schooling.drifted(schooling.LOST))
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    learning.states().put(f"drifted#{MODEL}", {"since": long_ago.isoformat()})

    assert (at_once, list(schooling.drifted(schooling.LOST))) == ([], [MODEL])


def test_a_release_that_nobody_examined_is_held_against_what_it_saw_first(release: str):
    shown(release, seen(0.95, 400))
    first = dict(drifting.measured())
    shown(release, seen(0.95, 300))
    same = dict(drifting.measured())
    shown(release, seen(0.3, 900))

    assert first == {}
    assert [one.moved for one in same.values()] == [()]
    assert drifting.measured()[MODEL].moved == ("scores",)


def test_what_another_release_sees_says_nothing_of_the_active_one(release: str):
    learning.states().put(f"reference#{MODEL}#other", written(seen(0.95)))
    shown("other", seen(0.45))

    assert dict(drifting.measured()) == {}
