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
from vigil.faces.gallery import Gallery, GallerySet, InvalidSnapshot, deserialize_gallery, serialize_gallery


def test_the_best_template_of_each_person_counts():
    known = gallery(person("ann", vector(1), vector(2), vector(3)), person("bob", vector(4)))

    found = known.identify(np.stack([vector(3), vector(4)]))

    assert [known.people[one.index].id for one in found] == ["ann", "bob"]
    np.testing.assert_allclose([one.score for one in found], [1, 1], atol=1e-5)


def test_the_runner_up_is_another_person_and_not_another_template():
    known = gallery(
        person("ann", vector(1), vector_at_cosine(vector(1), 0.9)),
        person("bob", vector_at_cosine(vector(1), 0.5, seed=7)),
    )

    found = known.identify(vector(1)[np.newaxis])

    assert found[0].runner_up == pytest.approx(0.5, abs=1e-5)


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
        assert one.score == pytest.approx(best[0], abs=1e-5)
        assert one.runner_up == pytest.approx(best[1] if len(best) > 1 else -1, abs=1e-5)


def test_an_update_returns_a_new_version_and_does_not_change_the_old_one():
    before = gallery(person("bob", vector(1)))

    after = before.with_person(person("ann", vector(2)))

    assert [one.id for one in before.people] == ["bob"]
    assert [one.id for one in after.people] == ["ann", "bob"]
    assert after.version == before.version + 1


def test_a_person_is_replaced_and_removed_by_id():
    first = gallery().with_person(person("ann", vector(1))).with_person(person("ann", vector(2), vector(3)))

    assert len(first) == 1
    assert first.matrix.shape[0] == 2
    assert len(first.without_person("ann")) == 0
    assert first.person("ann") is not None
    assert first.without_person("ann").person("ann") is None


def test_a_deserialised_snapshot_equals_the_gallery():
    known = gallery(person("ann", vector(1), vector(2), tags=frozenset({"staff"})), person("bob", vector(3)))
    known = known.without_person("nobody")

    back = deserialize_gallery(serialize_gallery(known))

    assert (back.version, back.embedding_space) == (known.version, "space")
    assert [(one.id, one.tags) for one in back.people] == [(one.id, one.tags) for one in known.people]
    np.testing.assert_allclose(back.matrix, known.matrix, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(back.matrix, axis=1), 1, atol=1e-6)


def test_an_empty_gallery_is_empty_after_deserialisation():
    back = deserialize_gallery(serialize_gallery(Gallery("space", version=7)))

    assert (len(back), back.version, back.embedding_space) == (0, 7, "space")


def test_a_snapshot_does_not_depend_on_the_order_of_enrolment():
    one, other = person("ann", vector(1)), person("bob", vector(2))

    assert serialize_gallery(gallery(one, other)) == serialize_gallery(gallery(other, one))


@pytest.mark.parametrize("cut", [0, 1, 20, 80, 200])
def test_an_incomplete_snapshot_is_refused(cut: int):
    data = serialize_gallery(gallery(person("ann", vector(1))))

    with pytest.raises(InvalidSnapshot):
        deserialize_gallery(data[:cut])


def test_a_snapshot_of_another_format_is_refused():
    data = serialize_gallery(gallery()).replace(b"vigil-gallery/1", b"vigil-gallery/9")

    with pytest.raises(InvalidSnapshot, match="vigil-gallery/9"):
        deserialize_gallery(data)


def test_a_person_that_reembedding_has_still_to_add_is_pending():
    ann, bob = person("ann", vector(1)), person("bob", vector(2))
    old, new = gallery(ann, bob), Gallery("new", (bob,))
    growing = GallerySet(
        1, {old.embedding_space: old, new.embedding_space: new}, incomplete_spaces=frozenset({"new"})
    )

    awaited = {name: [growing.is_pending(one, name) for one in (old, new)] for name in ("ann", "bob", "eve")}

    assert awaited == {"ann": [False, True], "bob": [False, False], "eve": [False, False]}
    assert not GallerySet(1, growing.by_space).is_pending(new, "ann")
