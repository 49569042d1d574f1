"""Releases with different embedding spaces are used side by side, and their vectors are never compared."""

import tomllib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from numpy.typing import NDArray

from models.build.compose import compose_release
from models.build.files import BuildFailure
from tests.fakes.built_models import built_releases, empty_gallery, faces_model, photo
from tests.fakes.rotated_embedding import write_rotated
from vigil.errors import BrokenRelease
from vigil.faces.enrolment_check import (
    add_templates,
    create_template,
    embed_for_other_releases,
    embed_reference,
)
from vigil.faces.evaluation import TooFewEnrolled, compare_on_enrolled
from vigil.faces.gallery import Gallery, GallerySet
from vigil.faces.matching import EmbeddingSpaceMismatch
from vigil.faces.recognizer import FaceRecognizer, open_face_recognizer
from vigil.faces.segments import EnrolledPerson
from vigil.inference.release import open_part, open_release
from vigil.inference.session import verify_golden
from vigil.inference.types import ReferenceImage

NO_TAGS = frozenset[str]()


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> FaceRecognizer:
    """The whole model with its embedding turned, as a lane opens it after fetching."""
    folder = tmp_path_factory.mktemp("turned")
    return open_composed(compose_release("faces", write_rotated(folder)), folder)


def open_composed(files: dict[str, bytes], folder: Path) -> FaceRecognizer:
    home = folder / "fetched" / "faces"
    home.mkdir(parents=True)
    for name, data in files.items():
        (home / name).write_bytes(data)
    release = open_release(home.parent, "faces")
    model = open_face_recognizer(empty_gallery, release, partial(open_part, release))
    verify_golden(release, model)
    return model


def enrolled_photos() -> list[tuple[str, ReferenceImage]]:
    photos_by_person = {"obama": ("obama.jpg", "obama2.jpg", "obama3.jpg"), "biden": ("biden.jpg",)}
    photos = []
    for person, names in photos_by_person.items():
        for name in names:
            template = create_template(
                photo(name),
                model=faces_model(),
                person=person,
                gallery=Gallery(faces_model().embedding_space),
            )
            assert template.reference_image is not None
            photos.append((person, template.reference_image))
    return photos


def test_a_reference_image_suffices_for_another_release_to_recognise_a_person(rotated: FaceRecognizer):
    straight = faces_model()
    template = create_template(
        photo("obama.jpg"), model=straight, person="p-o", gallery=Gallery(straight.embedding_space)
    )
    both = embed_for_other_releases(template, [rotated])
    gallery = add_templates(Gallery(rotated.embedding_space), "p-o", [both], NO_TAGS)

    decision = rotated.match(rotated.analyze(photo("obama3.jpg")).faces, gallery)[0]

    assert set(both.vectors) == {straight.embedding_space, rotated.embedding_space}
    assert (decision.status, decision.label) == ("known", "p-o")


def test_vectors_of_two_releases_are_never_compared(rotated: FaceRecognizer):
    straight = faces_model()
    template = create_template(
        photo("obama.jpg"), model=straight, person="p-o", gallery=Gallery(straight.embedding_space)
    )
    gallery = add_templates(Gallery(straight.embedding_space), "p-o", [template], NO_TAGS)

    with pytest.raises(EmbeddingSpaceMismatch, match=rotated.embedding_space):
        rotated.match(rotated.analyze(photo("obama3.jpg")).faces, gallery)


def test_vectors_of_two_releases_are_dissimilar(rotated: FaceRecognizer):
    active_vector = faces_model().analyze(photo("obama.jpg")).faces[0].vector
    rotated_vector = rotated.analyze(photo("obama.jpg")).faces[0].vector

    assert abs(float(active_vector @ rotated_vector)) < 0.2


def test_a_reference_image_and_its_photo_have_similar_vectors():
    model = faces_model()
    template = create_template(
        photo("biden.jpg"), model=model, person="p-b", gallery=Gallery(model.embedding_space)
    )
    assert template.reference_image is not None

    again = embed_reference(template.reference_image, model)

    assert float(again @ template.vectors[model.embedding_space]) > 0.95


def test_a_rotated_embedding_is_as_accurate_as_the_original(rotated: FaceRecognizer):
    photos = [*enrolled_photos(), *(("biden-again", one) for _, one in enrolled_photos()[3:])]
    photos = [(person.removesuffix("-again"), one) for person, one in photos]

    metric, gain = compare_on_enrolled(rotated, faces_model(), photos)

    assert (metric.value, gain.value) == (1.0, 0.0)


def test_releases_cannot_be_compared_on_too_few_enrolled_people(rotated: FaceRecognizer):
    with pytest.raises(TooFewEnrolled, match="two photos"):
        compare_on_enrolled(rotated, faces_model(), enrolled_photos()[:3])


def test_replacing_another_part_does_not_change_the_embedding_space(tmp_path: Path):
    changed = tmp_path / "face-detect"
    changed.mkdir()
    made = built_releases() / "face-detect"
    (changed / "model.onnx").write_bytes((made / "model.onnx").read_bytes())
    (changed / "card.toml").write_text((made / "card.toml").read_text("utf-8") + "# another\n", "utf-8")

    whole = open_composed(compose_release("faces", changed), tmp_path)

    assert (whole.embedding_space, whole.release == faces_model().release) == (
        faces_model().embedding_space,
        False,
    )


def test_a_model_that_is_no_part_cannot_be_composed(tmp_path: Path):
    home = write_rotated(tmp_path)
    card = home / "card.toml"
    card.write_text(card.read_text("utf-8").replace('name = "face-embed"', 'name = "voice"'), "utf-8")

    with pytest.raises(BuildFailure, match="its parts: face-detect"):
        compose_release("faces", home)


def test_galleries_share_a_version_and_an_incomplete_one_is_marked():
    vector = np.full((1, 4), 0.5, np.float32)
    old = with_person(Gallery("old"), vector)
    known = GallerySet(3, {"old": old})

    growing = known.with_gallery(Gallery("new"), complete=False)
    whole = growing.with_gallery(with_person(Gallery("new"), vector), complete=True)

    assert (growing.missing_people("new"), whole.missing_people("new")) == (("p",), ())
    assert (growing.incomplete_spaces, whole.incomplete_spaces) == (frozenset({"new"}), frozenset())
    assert (growing.version, whole.version, whole.by_space["old"]) == (4, 5, old)
    assert whole.restricted_to({"new"}).by_space.keys() == {"new"}


def with_person(gallery: Gallery, vector: NDArray[np.float32]) -> Gallery:
    return gallery.with_person(EnrolledPerson("p", vector))


def test_a_composed_release_has_the_thresholds_of_its_embedder(rotated: FaceRecognizer, tmp_path: Path):
    lower = open_composed(compose_release("faces", write_rotated(tmp_path, score_shift=0.1)), tmp_path)

    ours, theirs = (model.matching_config for model in (rotated, lower))
    asked = [each.calibration.threshold(1, 0.001).cosine for each in (ours, theirs)]
    assert asked[0] - asked[1] == pytest.approx(0.1)
    assert ours.same_subject_threshold - theirs.same_subject_threshold == pytest.approx(0.1, abs=1e-3)
    assert ours.enrolment_consistency_threshold - theirs.enrolment_consistency_threshold == pytest.approx(
        0.1, abs=1e-3
    )
    assert ours.same_subject_threshold == pytest.approx(
        faces_model().matching_config.same_subject_threshold, abs=1e-3
    )


def test_a_card_whose_calibration_is_of_another_embedding_space_is_refused(tmp_path: Path):
    files = compose_release("faces", write_rotated(tmp_path))
    ours = faces_model().embedding_space
    card = tomllib.loads(files["card.toml"].decode())
    card["matching"]["calibration"]["embedding_space"] = ours

    with pytest.raises(BrokenRelease, match=f"made with embedding space {ours}"):
        open_composed(files | {"card.toml": tomli_w.dumps(card).encode()}, tmp_path)


def test_an_embedder_without_calibration_cannot_be_composed(tmp_path: Path):
    part = write_rotated(tmp_path)
    card = part / "card.toml"
    card.write_text(card.read_text("utf-8").partition("[calibration]")[0], "utf-8")

    with pytest.raises(BuildFailure, match="calibration"):
        compose_release("faces", part)
