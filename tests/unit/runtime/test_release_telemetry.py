"""The health of releases: one metric line for each batch, and counts for those that can be rolled back."""

import json

import pytest

from cloud.cloudwatch import ReleaseMetrics
from functions.runtime.telemetry import ReleaseTelemetry
from tests.fakes.memory import NOON
from vigil.drops.messages import Drop, InlinePayload
from vigil.drops.prediction import ReleaseOutput, ReleaseOutputs
from vigil.errors import Transient
from vigil.inference.types import Prediction
from vigil.releases.health import ExpectedHealth, HealthCounts, HealthSample
from vigil.releases.lifecycle import ReleasePointers

METRICS = ReleaseMetrics("Vigil/test")
POINTERS = ReleasePointers(
    "b", previous="a", expected=ExpectedHealth(latency_ms=20.0, unrecognised_share=0.25)
)


def sample(
    latency_ms: float = 5.0, *, release: str = "b", failed: bool = False, nothing_recognised: bool = False
) -> HealthSample:
    return HealthSample("digits", release, latency_ms, failed, nothing_recognised)


def flushed(
    *samples: HealthSample, pointers: ReleasePointers = POINTERS
) -> list[tuple[str, str, HealthCounts]]:
    sums: list[tuple[str, str, HealthCounts]] = []
    telemetry = ReleaseTelemetry(
        ReleaseMetrics("Vigil/test"),
        lambda model, release, counts, _: sums.append((model, release, counts)),
        lambda *_: None,
        lambda _: pointers,
    )
    for one in samples:
        telemetry.record_health(one)
    telemetry.flush(NOON)
    return sums


def test_a_batch_is_one_log_line_with_each_sample_and_one_sum(capsys: pytest.CaptureFixture[str]):
    saved = flushed(sample(), sample(61.0, nothing_recognised=True), sample(failed=True))

    line = json.loads(capsys.readouterr().out)
    assert (line["ReleaseFailed"], line["ReleaseSlow"]) == ([0, 0, 1], [0, 1])
    assert line["ReleaseUnrecognisedIncrease"] == [-0.25, 0.75]
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [
        ["service"],
        ["service", "model", "release"],
    ]
    assert (line["service"], line["model"], line["release"]) == ("release-health", "digits", "b")
    assert saved == [("digits", "b", HealthCounts(samples=2, slow=1, unrecognised=1))]


def test_a_release_that_cannot_be_rolled_back_is_measured_and_not_counted(capsys: pytest.CaptureFixture[str]):
    assert flushed(sample(), pointers=ReleasePointers()) == []
    assert '"ReleaseFailed": [0.0]' in capsys.readouterr().out


def test_a_release_that_is_no_longer_active_is_not_counted():
    assert flushed(sample(9999.0, release="before")) == []


def test_counts_are_saved_at_most_every_few_seconds(capsys: pytest.CaptureFixture[str]):
    saved: list[HealthCounts] = []
    telemetry = ReleaseTelemetry(
        METRICS, lambda _, __, sums, ___: saved.append(sums), lambda *_: None, lambda _: POINTERS
    )

    for _ in range(3):
        telemetry.record_health(sample())
        telemetry.flush(NOON)

    assert saved == [HealthCounts(samples=1)]
    assert capsys.readouterr().out.count("\n") == 3


def test_a_comparison_that_cannot_be_saved_fails_no_drop():
    def fail(*_: object) -> None:
        raise Transient("away", dependency="records", operation="save comparison")

    telemetry = ReleaseTelemetry(METRICS, lambda *_: None, fail, lambda _: POINTERS)
    outputs = ReleaseOutputs(ReleaseOutput("b", 5.0, Prediction((), 0)), ReleaseOutput("c", 6.0, None), "c")

    telemetry.record_outputs(Drop("d1", "digits", "door", InlinePayload(b""), NOON), outputs, NOON)
