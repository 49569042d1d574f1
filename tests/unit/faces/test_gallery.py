"""Galleries are immutable, find the best candidates, and are restored from snapshots."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.faces.builders import (
    gallery,
    person,
    vector,
    vector_at_cosine,
)
from vigil.faces import segments
from vigil.faces.gallery import Gallery, GallerySet, build_gallery
from vigil.faces.segments import InvalidSnapshot, deserialize_segment, serialize_segment


def test_the_best_template_of_each_person_counts():
    known = gallery(person("ann", vector(1), vector(2), vector(3)), person("bob", vector(4)))

    found = known.identify(np.stack([vector(3), vector(4)]))

    assert [known.person_at(one.index).id for one in found] == ["ann", "bob"]
    np.testing.assert_allclose([one.score for one in found], [1, 1], atol=1e-3)


def test_the_runner_up_is_another_person_and_not_another_template():
    known = gallery(
        person("ann", vector(1), vector_at_cosine(vector(1), 0.9)),
        person("bob", vector_at_cosine(vector(1), 0.5, seed=7)),
    )

    found = known.identify(vector(1)[np.newaxis])

    assert found[0].runner_up == pytest.approx(0.5, abs=1e-3)


def test_one_person_has_no_runner_up():
    assert gallery(person("ann", vector(1))).identify(vector(2)[np.newaxis])[0].runner_up == -1


@settings(max_examples=50, deadline=None)
@given(counts=st.lists(st.integers(1, 4), min_size=1, max_size=12), probes=st.integers(1, 5))
def test_identification_equals_an_exhaustive_search(counts: list[int], probes: int):
    seeds = iter(range(1000))
    people = [person(f"p{n}", *(vector(next(seeds)) for _ in range(count))) for n, count in enumerate(counts)]
    faces = np.stack([vector(5000 + n) for n in range(probes)])

    found = gallery(*people).identify(faces)

    for face, one in zip(faces, found, strict=True):
        best = sorted((float((each.templates @ face).max()) for each in people), reverse=True)
        assert one.score == pytest.approx(best[0], abs=1e-3)
        assert one.runner_up == pytest.approx(best[1] if len(best) > 1 else -1, abs=1e-3)


def test_an_update_does_not_change_the_gallery_before():
    before = gallery(person("bob", vector(1)))

    after = before.with_person(person("ann", vector(2)))

    assert [one.id for one in before.people] == ["bob"]
    assert sorted(one.id for one in after.people) == ["ann", "bob"]


def test_a_person_is_replaced_and_removed_by_id():
    first = gallery().with_person(person("ann", vector(1))).with_person(person("ann", vector(2), vector(3)))
    ann = first.person("ann")

    assert (len(first), ann and len(ann.templates)) == (1, 2)
    assert first.without_person("ann").segments == ()
    assert first.without_person("nobody") is first


UPDATES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), max_size=60)


@settings(max_examples=100, deadline=None)
@given(UPDATES)
def test_after_any_updates_a_gallery_has_exactly_the_people_in_few_segments(updates: list[tuple[int, int]]):
    """An update with no template removes a person."""
    expected: dict[str, int] = {}
    known = gallery()
    for number, templates in updates:
        name = f"p{number}"
        if templates:
            known = known.with_person(person(name, *(vector(number + n) for n in range(templates))))
            expected[name] = templates
        else:
            known = known.without_person(name)
            expected.pop(name, None)

    assert {one.id: len(one.templates) for one in known.people} == expected
    assert sorted(known.ids.tolist()) == sorted(name.encode() for name in expected)
    assert all((segment.ids[:-1] < segment.ids[1:]).all() for segment in known.segments)
    assert len(known.segments) <= 12
    for number in {number for number, _ in updates}:
        if f"p{number}" in expected:
            (found,) = known.identify(vector(number)[np.newaxis])
            assert known.person_at(found.index).id in {f"p{number - n}" for n in range(3)}


def test_an_enrolment_leaves_larger_segments_as_they_are():
    known = gallery(*(person(f"p{n}", vector(n)) for n in range(100)))

    more = known.with_person(person("q1", vector(200))).with_person(person("q2", vector(201)))

    assert more.segments[0] is known.segments[0]
    assert [len(one) for one in more.segments] == [100, 2]


def test_a_full_segment_is_merged_with_no_other(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(segments, "MAX_SEGMENT_TEMPLATES", 4)

    known = gallery(*(person(f"p{n}", vector(n)) for n in range(10)))
    for n in range(10, 13):
        known = known.with_person(person(f"p{n}", vector(n)))

    assert sum(len(one) for one in known.segments) == 13
    assert max(len(one) for one in known.segments) <= 4


def test_a_deserialised_segment_equals_the_stored_one():
    tagged = person("ann", vector(1), vector(2), tags=frozenset({"staff"}))
    (segment,) = gallery(tagged, person("zoë with a longer id", vector(3))).segments

    space, back = deserialize_segment(serialize_segment(segment, "space"), "key")

    assert (space, back.key, back.ids.tolist(), back.tags) == (
        "space",
        "key",
        segment.ids.tolist(),
        segment.tags,
    )
    np.testing.assert_array_equal(back.templates, segment.templates)
    np.testing.assert_allclose(back.person(0).templates, [vector(1), vector(2)], atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(back.person(0).templates, axis=1), 1, atol=1e-6)


def snapshot(known: Gallery) -> list[bytes]:
    return [serialize_segment(segment, known.embedding_space) for segment in known.segments]


def test_a_segment_does_not_depend_on_the_order_of_enrolment():
    one, other = person("ann", vector(1)), person("bob", vector(2))

    assert snapshot(gallery(one, other)) == snapshot(gallery(other).with_person(one))


@pytest.mark.parametrize("cut", [0, 1, 20, 80, 200, -1])
def test_an_incomplete_segment_is_refused(cut: int):
    (data,) = snapshot(gallery(person("ann", vector(1))))

    with pytest.raises(InvalidSnapshot):
        deserialize_segment(data[:cut])


def test_a_segment_of_another_format_is_refused():
    (data,) = snapshot(gallery(person("ann", vector(1))))

    with pytest.raises(InvalidSnapshot, match="vigil-gallery/9"):
        deserialize_segment(data.replace(b"vigil-gallery/2", b"vigil-gallery/9"))


def test_a_person_that_reembedding_has_still_to_add_is_pending():
    ann, bob = person("ann", vector(1)), person("bob", vector(2))
    old, new = gallery(ann, bob), build_gallery("new", [bob])
    growing = GallerySet(
        1, {old.embedding_space: old, new.embedding_space: new}, incomplete_spaces=frozenset({"new"})
    )

    awaited = {name: [growing.is_pending(one, name) for one in (old, new)] for name in ("ann", "bob", "eve")}

    assert awaited == {"ann": [False, True], "bob": [False, False], "eve": [False, False]}
    assert not GallerySet(1, growing.by_space).is_pending(new, "ann")


def test_people_above_a_score_are_listed_best_first_by_their_best_template():
    probe = vector(1)
    near, nearer, far = (vector_at_cosine(probe, cosine) for cosine in (0.6, 0.8, 0.1))
    filled = gallery(person("p-1", far, near), person("p-2", nearer), person("p-3", far))

    assert filled.people_above(probe, 0.5, 10) == ("p-2", "p-1")
    assert filled.people_above(probe, -1, 1) == ("p-2",)
    assert gallery().people_above(probe, -1, 10) == ()


def test_people_above_a_score_are_the_same_with_the_index_and_by_comparing_all(
    monkeypatch: pytest.MonkeyPatch,
):
    filled = gallery(*(person(f"p{n:04}", vector(2 * n), vector(2 * n + 1)) for n in range(2500)))
    searches = [filled.people_above(vector(9000 + n), -1, 20) for n in range(3)]
    everybody = filled.people_above(vector(9000), -1, 6000)
    monkeypatch.setattr(segments, "INDEXED_ROWS", 10_000)
    compared = gallery(*filled.people)

    assert searches == [compared.people_above(vector(9000 + n), -1, 20) for n in range(3)]
    assert len(everybody) == 2500
