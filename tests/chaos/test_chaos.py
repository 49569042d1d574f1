"""A short storm over the packaged system."""

from pathlib import Path

import pytest

from infra.chaos.__main__ import line
from infra.chaos.crowd import POISON, crowd
from infra.chaos.play import play
from infra.models.photos import fetch_photos
from infra.package import package


@pytest.mark.timeout(300)  # a storm takes under a minute, on a machine that has one to spare
def test_in_a_storm_nothing_is_lost_or_done_twice_and_all_is_mended_by_itself(tmp_path: Path):
    package("local")
    fetch_photos()

    outcome = play(1, 24, receives=2, minute_s=1.5, data=tmp_path, patience_s=180)

    wrong = outcome.verdict.differs(outcome.quiet)
    assert wrong == [], line(outcome, wrong)
    assert outcome.verdict.alerts == outcome.quiet.alerts > 0
    assert outcome.verdict.states["quarantined"] == 1
    assert outcome.kills > 0


def test_the_seed_decides_what_is_dropped_and_some_of_it_is_poisoned():
    fetch_photos()

    things = crowd(60, 7)

    assert things == crowd(60, 7) != crowd(60, 8)
    assert [thing.kind for thing in things].count(POISON) == 2
    assert len({thing.name for thing in things}) == 60
