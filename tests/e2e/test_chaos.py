"""A short storm over the packaged system."""

from pathlib import Path

import pytest

from infra.package import package
from models.build.sample_photos import fetch_photos
from tests.chaos.__main__ import summary_line
from tests.chaos.scenario import run_scenario
from tests.chaos.workload import GARBAGE, POISON, workload


@pytest.mark.timeout(900)  # two minutes on a machine with free cores; the rest is patience for a busy one
def test_under_faults_nothing_is_lost_or_done_twice_and_the_system_recovers(tmp_path: Path):
    package("local")
    fetch_photos()

    result = run_scenario(1, 24, receives=2, minute_s=4.0, data=tmp_path, timeout_s=480)

    differences = result.under_faults.differences_from(result.baseline)
    assert differences == [], "\n".join([summary_line(result, differences), *result.stall])
    assert result.under_faults.alerts == result.baseline.alerts > 0
    assert result.under_faults.states["quarantined"] == 1
    assert result.kills > 0


def test_the_seed_determines_the_workload_which_contains_poison():
    fetch_photos()

    inputs = workload(60, 7)

    assert inputs == workload(60, 7) != workload(60, 8)
    assert [item.kind for item in inputs].count(POISON) == 2
    assert [item.kind for item in inputs].count(GARBAGE) == 7
    assert len({thing.name for thing in inputs}) == len(inputs) == 67
