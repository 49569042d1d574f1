"""Verdicts: known, unknown, ambiguous, unfit."""

import pytest

from infra.models.places import CARDS
from tests.faces.people import face, gallery, near, person, vector
from vigil.faces.match import FaceSettings, judge
from vigil.predict.table import read

SETTINGS = FaceSettings.read(read(CARDS / "faces" / "card.toml"))
ANN = person("ann", vector(1), tags=frozenset({"staff"}))
BOB = person("bob", vector(2))
NEEDED = SETTINGS.calibration.threshold(2, SETTINGS.wanted_fpir).cosine


def test_a_face_that_reaches_the_threshold_is_known_with_the_person_s_tags():
    verdict = judge([face(near(vector(1), NEEDED + 0.05))], gallery(ANN, BOB), SETTINGS)[0]

    assert (verdict.status, verdict.label, verdict.tags) == ("known", "ann", frozenset({"staff"}))
    assert verdict.score == pytest.approx(NEEDED + 0.05, abs=1e-4)
    assert verdict.threshold == pytest.approx(NEEDED)


def test_a_face_below_the_threshold_is_unknown_and_keeps_its_score():
    verdict = judge([face(near(vector(1), NEEDED - 0.05))], gallery(ANN, BOB), SETTINGS)[0]

    assert (verdict.status, verdict.label) == ("unknown", "unknown")
    assert verdict.score == pytest.approx(NEEDED - 0.05, abs=1e-4)


def test_a_poor_face_needs_more():
    score = NEEDED + SETTINGS.poor_margin / 2

    good, poor = judge(
        [face(near(vector(1), score)), face(near(vector(1), score), quality=0.3)], gallery(ANN, BOB), SETTINGS
    )

    assert (good.status, poor.status) == ("known", "unknown")
    assert poor.threshold == pytest.approx(NEEDED + SETTINGS.poor_margin)


def test_two_people_too_close_are_ambiguous():
    twin = person("twin", near(vector(1), 0.99))

    verdict = judge([face(vector(1))], gallery(ANN, twin), SETTINGS)[0]

    assert (verdict.status, verdict.label) == ("ambiguous", "ambiguous")


def test_two_templates_of_one_person_are_not_ambiguous():
    ann = person("ann", vector(1), near(vector(1), 0.99))

    assert judge([face(vector(1))], gallery(ann, BOB), SETTINGS)[0].status == "known"


def test_an_unfit_face_is_never_matched():
    verdict = judge([face(vector(1), quality=0.0, faults=("small",))], gallery(ANN, BOB), SETTINGS)[0]

    assert (verdict.status, verdict.score) == ("unfit", None)


def test_an_empty_gallery_knows_nobody():
    verdicts = judge([face(vector(1)), face(vector(2), faults=("turned",))], gallery(), SETTINGS)

    assert [verdict.status for verdict in verdicts] == ["unknown", "unfit"]
    assert {verdict.threshold for verdict in verdicts} == {None}


def test_the_threshold_rises_with_the_gallery():
    many = gallery(ANN, *(person(f"p{seed}", vector(seed)) for seed in range(10, 210)))

    verdict = judge([face(near(vector(1), NEEDED + 0.02))], many, SETTINGS)[0]

    assert verdict.threshold is not None
    assert verdict.threshold > NEEDED + 0.1
