"""The threshold follows from the target rate and the number of people, measured or extrapolated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.build.files import CARDS
from vigil.faces.calibration import Calibration
from vigil.faces.recognizer import FacesCard
from vigil.toml_file import InvalidToml, TomlFile, load_toml

CALIBRATION = load_toml(CARDS / "faces" / "card.toml").convert(FacesCard).matching.calibration


@pytest.mark.parametrize(("rate", "cosine"), list(zip(CALIBRATION.fmr, CALIBRATION.cosine, strict=True)))
def test_the_thresholds_for_one_person_are_the_measured_scores(rate: float, cosine: float):
    assert CALIBRATION.threshold(1, rate).cosine == pytest.approx(cosine, abs=1e-6)


def test_a_hundred_people_need_a_hundredth_of_the_false_match_rate():
    threshold = CALIBRATION.threshold(100, 0.01)

    assert threshold.fmr == pytest.approx(1 - 0.99 ** (1 / 100))
    assert threshold.cosine == pytest.approx(0.403, abs=0.001)
    assert not threshold.extrapolated


def test_a_threshold_beyond_the_table_is_marked_as_extrapolated():
    threshold = CALIBRATION.threshold(10_000, 0.01)

    assert threshold.extrapolated
    assert CALIBRATION.cosine[-1] < threshold.cosine < 0.8


@given(people=st.integers(1, 10**7), fpir=st.floats(0.0001, 0.3))
def test_more_people_never_lower_the_threshold(people: int, fpir: float):
    assert CALIBRATION.threshold(people * 2, fpir).cosine >= CALIBRATION.threshold(people, fpir).cosine - 1e-9


@given(people=st.integers(1, 10**6))
def test_the_rate_at_a_threshold_is_the_rate_it_was_computed_for(people: int):
    threshold = CALIBRATION.threshold(people, 0.01)

    assert np.log(CALIBRATION.threshold_at_score(threshold.cosine).fmr) == pytest.approx(
        np.log(threshold.fmr), abs=0.01
    )


@given(cosine=st.floats(-1, 1))
def test_no_score_has_a_rate_below_the_minimum(cosine: float):
    assert CALIBRATION.min_fmr <= CALIBRATION.threshold_at_score(cosine).fmr <= CALIBRATION.fmr[0]


@pytest.mark.parametrize(
    ("fmr", "cosine"),
    [([0.1], [0.3]), ([0.1, 0.2], [0.3, 0.4]), ([0.2, 0.1], [0.4, 0.3]), ([0.2, 0.0], [0.3, 0.4])],
)
def test_a_table_is_refused_unless_rates_fall_while_scores_rise(fmr: list[float], cosine: list[float]):
    table = TomlFile("card.toml", {"embedding_space": "space", "fmr": fmr, "cosine": cosine, "min_fmr": 1e-9})

    with pytest.raises(InvalidToml, match="fmr must fall"):
        table.convert(Calibration)
