"""What active releases show becomes a metric line a batch, and a tally for those that could go back."""

import json

import pytest

from cloud.cloudwatch import ReleaseMetrics
from functions.runtime.telemetry import ReleaseTelemetry
from tests.fakes.memory import NOON
from vigil.releases.health import ExpectedHealth, HealthCounts, HealthSample
from vigil.releases.lifecycle import ReleasePointers

GAUGES = ReleaseMetrics("Vigil/test")
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
        ReleaseMetrics("Vigil/test"), lambda model, release, counts, _: sums.append((model, release, counts))
    )
    for one in samples:
        telemetry.record_health(one, pointers)
    telemetry.flush(NOON)
    return sums


def test_a_batch_is_one_log_line_with_each_sample_and_one_sum(capsys: pytest.CaptureFixture[str]):
    told = flushed(sample(), sample(61.0, nothing_recognised=True), sample(failed=True))

    line = json.loads(capsys.readouterr().out)
    assert (line["ReleaseFailed"], line["ReleaseSlow"]) == ([0, 0, 1], [0, 1])
    assert line["ReleaseUnrecognisedIncrease"] == [-0.25, 0.75]
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [
        ["service"],
        ["service", "model", "release"],
    ]
    assert (line["service"], line["model"], line["release"]) == ("releases", "digits", "b")
    assert told == [("digits", "b", HealthCounts(samples=2, slow=1, unrecognised=1))]


def test_a_release_that_cannot_go_back_is_measured_and_not_summed(capsys: pytest.CaptureFixture[str]):
    assert flushed(sample(), pointers=ReleasePointers()) == []
    assert '"ReleaseFailed": [0.0]' in capsys.readouterr().out


def test_a_release_that_is_not_active_any_more_says_nothing_about_the_one_that_is():
    assert flushed(sample(9999.0, release="before")) == []


def test_sums_wait_for_each_other(capsys: pytest.CaptureFixture[str]):
    told: list[HealthCounts] = []
    pulse = ReleaseTelemetry(GAUGES, lambda _, __, sums, ___: told.append(sums))

    for _ in range(3):
        pulse.record_health(sample(), POINTERS)
        pulse.flush(NOON)

    assert told == [HealthCounts(samples=1)]
    assert capsys.readouterr().out.count("\n") == 3
