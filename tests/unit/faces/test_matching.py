"""A face is known, unknown, ambiguous or unfit."""

from dataclasses import replace

import pytest
from msgspec import structs

from models.build.files import CARDS
from tests.unit.faces.builders import (
    face,
    gallery,
    person,
    vector,
    vector_at_cosine,
)
from vigil.faces.gallery import Gallery
from vigil.faces.matching import MatchDecision, best_decisions, match_faces
from vigil.faces.recognizer import FacesCard
from vigil.toml_file import load_toml

SETTINGS = load_toml(CARDS / "faces" / "card.toml").convert(FacesCard).matching
ANN = person("ann", vector(1), tags=frozenset({"staff"}))
BOB = person("bob", vector(2))
REQUIRED_SCORE = SETTINGS.calibration.threshold(2, SETTINGS.target_fpir).cosine


def test_a_face_that_reaches_the_threshold_is_known_with_the_person_s_tags():
    decision = match_faces(
        [face(vector_at_cosine(vector(1), REQUIRED_SCORE + 0.05))], gallery(ANN, BOB), SETTINGS
    )[0]

    assert (decision.status, decision.label, decision.tags) == ("known", "ann", frozenset({"staff"}))
    assert decision.score == pytest.approx(REQUIRED_SCORE + 0.05, abs=1e-4)
    assert decision.threshold == pytest.approx(REQUIRED_SCORE)


def test_a_face_below_the_threshold_is_unknown_and_has_its_score():
    decision = match_faces(
        [face(vector_at_cosine(vector(1), REQUIRED_SCORE - 0.05))], gallery(ANN, BOB), SETTINGS
    )[0]

    assert (decision.status, decision.label) == ("unknown", "unknown")
    assert decision.score == pytest.approx(REQUIRED_SCORE - 0.05, abs=1e-4)


def test_a_face_of_low_quality_needs_a_higher_score():
    with_margin = structs.replace(SETTINGS, low_quality_margin=0.1)
    score = REQUIRED_SCORE + 0.05

    good, poor = match_faces(
        [face(vector_at_cosine(vector(1), score)), face(vector_at_cosine(vector(1), score), quality=0.3)],
        gallery(ANN, BOB),
        with_margin,
    )

    assert (good.status, poor.status) == ("known", "unknown")
    assert poor.threshold == pytest.approx(REQUIRED_SCORE + 0.1)


def test_two_people_too_close_are_ambiguous():
    twin = person("twin", vector_at_cosine(vector(1), 0.99))

    decision = match_faces([face(vector(1))], gallery(ANN, twin), SETTINGS)[0]

    assert (decision.status, decision.label) == ("ambiguous", "ambiguous")


def test_an_ambiguous_face_has_the_tags_of_both_candidates():
    twin = replace(person("twin", vector_at_cosine(vector(1), 0.99)), tags=frozenset({"watch"}))
    ann = replace(ANN, tags=frozenset({"staff"}))

    decision = match_faces([face(vector(1))], gallery(ann, twin), SETTINGS)[0]

    assert (decision.status, decision.tags) == ("ambiguous", frozenset({"watch", "staff"}))


def test_two_templates_of_one_person_are_not_ambiguous():
    ann = person("ann", vector(1), vector_at_cosine(vector(1), 0.99))

    assert match_faces([face(vector(1))], gallery(ann, BOB), SETTINGS)[0].status == "known"


def test_an_unfit_face_is_never_matched():
    decision = match_faces(
        [face(vector(1), quality=0.0, quality_issues=("small",))], gallery(ANN, BOB), SETTINGS
    )[0]

    assert (decision.status, decision.score) == ("unfit", None)


def test_all_faces_are_unknown_or_unfit_with_an_empty_gallery():
    decisions = match_faces(
        [face(vector(1)), face(vector(2), quality_issues=("turned",))], gallery(), SETTINGS
    )

    assert [decision.status for decision in decisions] == ["unknown", "unfit"]
    assert {verdict.threshold for verdict in decisions} == {None}


def test_the_threshold_rises_with_the_gallery():
    many = gallery(ANN, *(person(f"p{seed}", vector(seed)) for seed in range(10, 210)))

    decision = match_faces([face(vector_at_cosine(vector(1), REQUIRED_SCORE + 0.02))], many, SETTINGS)[0]

    assert decision.threshold is not None
    assert decision.threshold > REQUIRED_SCORE + 0.1


def decide_in_galleries(cosine: float, *galleries: Gallery) -> MatchDecision:
    probe = [face(vector_at_cosine(vector(1), cosine))]
    return best_decisions([match_faces(probe, one, SETTINGS) for one in galleries])[0]


def test_each_gallery_has_the_threshold_of_its_own_size():
    strangers = gallery(*(person(f"s{seed}", vector(seed)) for seed in range(10, 40)))

    alone = decide_in_galleries(REQUIRED_SCORE + 0.01, gallery(ANN, BOB), strangers)
    among_others = decide_in_galleries(REQUIRED_SCORE + 0.01, gallery(ANN, *strangers.people))

    assert alone.label == "ann"
    assert alone.threshold == pytest.approx(REQUIRED_SCORE)
    assert among_others.status == "unknown"


def test_somebody_in_two_galleries_is_known_and_not_ambiguous():
    member = person("member", vector_at_cosine(vector(1), 0.999))

    assert decide_in_galleries(0.9999, gallery(ANN, BOB), gallery(member)).status == "known"


def test_a_face_that_no_gallery_knows_is_unknown_with_the_best_score():
    decision = decide_in_galleries(REQUIRED_SCORE - 0.05, gallery(BOB), gallery(), gallery(ANN))

    assert decision.status == "unknown"
    assert decision.score == pytest.approx(REQUIRED_SCORE - 0.05, abs=1e-4)
