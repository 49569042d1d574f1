"""What active releases show becomes a metric line a batch, and a tally for those that could go back."""

import json

import pytest

from cloud.metrics import ReleaseGauges
from functions.pulse import Pulse
from tests.memory import NOON
from vigil.learn.release import Pointers
from vigil.learn.vitals import Expected, Vital, Vitals

GAUGES = ReleaseGauges("Vigil/test")
POINTERS = Pointers("b", former="a", expected=Expected(ms=20.0, unsure=0.25))


def vital(ms: float = 5.0, *, release: str = "b", broke: bool = False, unsure: bool = False) -> Vital:
    return Vital("digits", release, ms, broke, unsure)


def flushed(*seen: Vital, pointers: Pointers = POINTERS) -> list[tuple[str, str, Vitals]]:
    told: list[tuple[str, str, Vitals]] = []
    pulse = Pulse(
        ReleaseGauges("Vigil/test"), lambda model, release, sums, _: told.append((model, release, sums))
    )
    for one in seen:
        pulse.watch(one, pointers)
    pulse.flush(NOON)
    return told


def test_a_batch_is_one_line_with_each_look_and_one_sum(capsys: pytest.CaptureFixture[str]):
    told = flushed(vital(), vital(61.0, unsure=True), vital(broke=True))

    line = json.loads(capsys.readouterr().out)
    assert (line["ReleaseBroke"], line["ReleaseSlow"]) == ([0, 0, 1], [0, 1])
    assert line["ReleaseUnsureRise"] == [-0.25, 0.75]
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [
        ["service"],
        ["service", "model", "release"],
    ]
    assert (line["service"], line["model"], line["release"]) == ("releases", "digits", "b")
    assert told == [("digits", "b", Vitals(looks=2, slow=1, unsure=1))]


def test_a_release_that_cannot_go_back_is_measured_and_not_summed(capsys: pytest.CaptureFixture[str]):
    assert flushed(vital(), pointers=Pointers()) == []
    assert '"ReleaseBroke": [0.0]' in capsys.readouterr().out


def test_a_release_that_is_not_active_any_more_says_nothing_about_the_one_that_is():
    assert flushed(vital(9999.0, release="before")) == []


def test_sums_wait_for_each_other(capsys: pytest.CaptureFixture[str]):
    told: list[Vitals] = []
    pulse = Pulse(GAUGES, lambda _, __, sums, ___: told.append(sums))

    for _ in range(3):
        pulse.watch(vital(), POINTERS)
        pulse.flush(NOON)

    assert told == [Vitals(looks=1)]
    assert capsys.readouterr().out.count("\n") == 3
