"""Which photos belong to a person: like the first or most of the templates, never by a chain of blends."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.unit.faces.builders import face, gallery, vector
from tests.unit.faces.test_matching import SETTINGS
from vigil.errors import EmptyFile, Rejected
from vigil.faces.enrolment_check import (
    AlreadyEnrolled,
    LowQuality,
    Template,
    create_template,
    examine_photos,
    find_outliers,
    needs_review,
)
from vigil.faces.matching import MatchDecision
from vigil.faces.pipeline import Face

THRESHOLD = 0.3963


def blend(share: float) -> NDArray[np.float32]:
    """A face between Ann (0) and Bob (1): a unit vector at an angle."""
    angle = share * np.pi / 2
    return np.array([np.cos(angle), np.sin(angle), 0], np.float32)


ANN, BOB = blend(0), blend(1)
ANNS = [blend(-0.1), blend(0.05), blend(0.15)]


def faces(*vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack(vectors)


def test_a_face_like_the_first_template_belongs_to_the_person():
    assert find_outliers(faces(blend(0.7)), faces(ANN), THRESHOLD) == ()
    assert find_outliers(faces(BOB), faces(ANN), THRESHOLD) == (0,)


def test_a_chain_of_blends_does_not_lead_to_another_person_one_by_one():
    templates = faces(ANN)
    taken: list[float] = []
    for share in (0.5, 0.7, 0.8, 0.9, 1.0):
        if find_outliers(faces(blend(share)), templates, THRESHOLD) == ():
            templates, taken = faces(*templates, blend(share)), [*taken, share]

    assert taken == [0.5, 0.7]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_a_chain_of_blends_does_not_lead_to_another_person_in_one_request(order: tuple[int, ...]):
    chain = [ANN, blend(0.5), BOB]
    new = faces(*(chain[index] for index in order))

    accepted = {order[index] for index in range(3)} - {
        order[index] for index in find_outliers(new, None, 0.6)
    }

    assert not {0, 2} <= accepted


def test_a_face_unlike_the_first_but_like_most_templates_belongs_to_the_person():
    old, recent = blend(-0.6), [blend(0.1), blend(0.15), blend(0.2), blend(0.25)]

    assert find_outliers(faces(blend(0.3)), faces(old, *recent), 0.5) == ()


def test_copies_of_a_wrong_photo_do_not_make_it_the_person():
    assert find_outliers(faces(BOB, BOB, BOB, *ANNS[:2]), None, THRESHOLD) == (0, 1, 2)


def test_copies_of_a_template_do_not_outvote_the_others():
    copies = [blend(0.6)] * 6

    assert find_outliers(faces(BOB), faces(ANN, blend(0.05), *copies), THRESHOLD) == (0,)


def test_one_wrong_photo_among_good_ones_is_the_outlier():
    assert find_outliers(faces(ANNS[0], BOB, *ANNS[1:]), None, THRESHOLD) == (1,)


def test_two_photos_of_different_people_are_both_refused():
    assert find_outliers(faces(ANN, BOB), None, THRESHOLD) == (0, 1)


def test_templates_that_may_be_of_two_people_are_reviewed():
    assert needs_review(faces(ANN, blend(0.5), blend(0.9)), THRESHOLD)
    assert not needs_review(faces(ANN, *ANNS), THRESHOLD)


def test_an_unreadable_photo_and_a_copy_are_refused_and_the_others_are_compared():
    compared: list[int] = []

    def create_template(data: bytes) -> Template:
        return Template({}, float(len(data)), (0, 0, 1, 1))

    def find_inconsistent(templates: Sequence[Template]) -> Mapping[int, Rejected]:
        compared.append(len(templates))
        return {}

    photos: list[tuple[str, bytes | Rejected]] = [
        ("a", b"1"),
        ("b", EmptyFile("no bytes")),
        ("c", b"1"),
        ("d", b"2"),
    ]
    accepted, rejected = examine_photos(photos, create_template, find_inconsistent)

    assert [name for name, _ in accepted] == ["a", "d"]
    assert [(name, error.reason) for name, error in rejected] == [
        ("b", "empty-file"),
        ("c", "duplicate-photo"),
    ]
    assert compared == [2]


LOWEST_QUALITY = SETTINGS.min_enrolment_quality


def template_of(found: Face, status: Any = "unknown") -> Template:
    """The template of a photo of one face, with the result of its search among other people."""
    model: Any = SimpleNamespace(
        matching_config=SETTINGS,
        analyze=lambda _: SimpleNamespace(faces=(found,)),
        match=lambda *_: (MatchDecision(status, status),),
        decode_full_size=lambda _: Image.new("RGB", (100, 120)),
    )
    return create_template(b"photo", model=model, person="p-ann", gallery=gallery())


def test_a_face_of_the_lowest_quality_without_issues_is_enrolled():
    assert template_of(face(vector(1), LOWEST_QUALITY)).quality == LOWEST_QUALITY


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (face(vector(1), 1.0, ("blurred",)), "blurred"),
        (face(vector(1), LOWEST_QUALITY - 0.01), "quality"),
        (face(vector(1), LOWEST_QUALITY - 0.01, ("small", "turned")), "small, turned"),
    ],
)
def test_a_face_with_an_issue_or_of_lower_quality_is_not_enrolled(found: Face, cause: str):
    with pytest.raises(LowQuality, match=cause):
        template_of(found)


@pytest.mark.parametrize("status", ["known", "ambiguous"])
def test_a_face_that_may_be_another_person_s_is_not_enrolled(status: str):
    with pytest.raises(AlreadyEnrolled) as refused:
        template_of(face(vector(1)), status)

    assert bool(refused.value.person) == (status == "known")
