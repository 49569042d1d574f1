"""Similarity in percent follows from the false match rate, and rises with the score."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.build.files import ROOT
from vigil.faces.recognizer import FacesCard
from vigil.faces.similarity import cosine_at, similarity_of, similarity_percent
from vigil.toml_file import load_toml

CALIBRATION = load_toml(ROOT / "models" / "faces" / "card.toml").convert(FacesCard).matching.calibration
DECISION = Path(ROOT, "docs/decisions/0016-similarity-from-the-false-match-rate.md")


@pytest.mark.parametrize(("percent", "fmr"), [(80.0, 1e-3), (99.0, 1e-5)])
def test_the_score_of_a_false_match_rate_in_the_card_has_the_promised_similarity(percent: float, fmr: float):
    cosine = CALIBRATION.threshold(people=1, fpir=fmr).cosine

    assert similarity_of(cosine, CALIBRATION) == pytest.approx(percent, abs=0.05)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_a_higher_score_never_has_a_lower_similarity(first: float, second: float):
    low, high = sorted((first, second))

    assert 0 <= similarity_of(low, CALIBRATION) <= similarity_of(high, CALIBRATION) <= 100


def test_the_table_of_the_decision_is_the_map():
    rows = re.findall(r"^\| (\S+) \| (\S+) \|$", DECISION.read_text(), re.MULTILINE)
    table = {float(fmr): float(percent) for fmr, percent in rows if fmr[0].isdigit()}

    assert len(table) > 5
    assert table == {fmr: round(similarity_percent(fmr), 2) for fmr in table}


@given(st.floats(0, 100))
def test_the_least_cosine_of_a_similarity_has_it(percent: float):
    cosine = cosine_at(percent, CALIBRATION)

    if -1 < cosine < 1:
        assert similarity_of(cosine, CALIBRATION) == pytest.approx(percent, abs=0.5)
    assert similarity_of(max(cosine - 0.02, -1), CALIBRATION) <= percent + 0.5 or cosine == -1
