"""The faces model on real photographs: recognition, rejections, options, stages and enrolment."""

import io
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tests.fakes.built_models import bundled_models, faces_model, photo
from vigil.errors import EmptyFile, NotAnImage, TruncatedImage
from vigil.faces.detector import detect_at_all_scales
from vigil.faces.enrolment_check import (
    AlreadyEnrolled,
    LowQuality,
    NoFace,
    SeveralFaces,
    Template,
    add_templates,
    create_template,
)
from vigil.faces.gallery import Gallery
from vigil.faces.matching import EmbeddingSpaceMismatch
from vigil.faces.pipeline import UnknownOption, open_face_pipeline
from vigil.faces.recognizer import FaceRecognizer
from vigil.inference.session import Session
from vigil.inference.types import Prediction

DETECTOR_INPUTS = ("auto", "320", "480", "640", "tiles")


@cache
def _recognizer() -> FaceRecognizer:
    return faces_model(lambda _name, _space: _two_enrolled())


@cache
def _two_enrolled() -> Gallery:
    model = faces_model()
    gallery = Gallery(model.embedding_space)
    for name in ("obama", "biden"):
        template = create_template(photo(f"{name}.jpg"), model=model, person=name, gallery=gallery)
        gallery = add_templates(gallery, name, [template], frozenset({f"tag-{name}"}))
    return gallery


def _predict(data: bytes, **options: str) -> Prediction:
    return _recognizer().predict(data, options, ignore_stage)


@pytest.mark.parametrize("detector_input", DETECTOR_INPUTS)
@pytest.mark.parametrize(
    ("name", "expected_person"),
    [
        ("obama2", "obama"),
        ("obama3", "obama"),
        ("obama_partial_face", "obama"),
        ("obama_partial_face2", "obama"),
        ("biden", "biden"),
    ],
)
def test_an_enrolled_person_is_recognised_at_every_detector_size(
    name: str, expected_person: str, detector_input: str
):
    prediction = _predict(photo(f"{name}.jpg"), detect=detector_input)

    assert [(one.label, one.status) for one in prediction.sightings] == [(expected_person, "known")]
    assert prediction.sightings[0].tags == {f"tag-{expected_person}"}
    assert prediction.notes["detect"] == detector_input


def test_a_face_of_thirty_pixels_is_found_in_a_frame_and_not_at_the_smaller_inputs():
    frame = _frame_with_face_of(30)

    found = {one: len(_predict(frame, detect=one).sightings) for one in ("auto", "320", "480")}

    assert found == {"auto": 1, "320": 0, "480": 0}


def test_a_portrait_is_not_searched_for_small_faces_and_a_frame_is():
    portrait = _open_photo("obama3.jpg")
    frame = Image.new("RGB", (portrait.height * 16 // 9, portrait.height), (112, 118, 124))
    frame.paste(portrait, (900, 0))

    assert _detector_inputs(portrait) == [(208, 320)]
    assert _detector_inputs(frame) == [(320, 192), (960, 544)]


def test_a_tall_picture_of_two_people_is_searched_for_small_faces():
    person = _open_photo("obama2.jpg").crop((0, 100, 626, 900))
    picture = Image.new("RGB", (1300, 1600), (112, 118, 124))
    for left in (0, 650):
        picture.paste(person, (left, 400))

    assert len(_detector_inputs(picture)) == 2


@pytest.mark.parametrize("width", [112, 250, 640, 1920, 3840])
def test_one_face_of_a_portrait_has_one_steady_box_whatever_the_picture_s_size(width: int):
    portrait = _open_photo("obama2.jpg").crop((60, 150, 560, 750))
    reference = _predict(_encoded(portrait)).sightings[0]
    scaled = portrait.resize(
        (width, round(width * portrait.height / portrait.width)), Image.Resampling.LANCZOS
    )

    sightings = _predict(_encoded(scaled)).sightings

    assert [one.label for one in sightings] == ["obama"]
    box, expected = (np.array(one.box_px) for one in (sightings[0], reference))
    height = expected[3] - expected[1]
    np.testing.assert_allclose(box * portrait.width / width, expected, atol=0.12 * height)


@pytest.mark.parametrize("margin", [0.0, 0.05, 0.15])
@pytest.mark.parametrize("name", ["obama", "obama2", "obama3", "biden"])
def test_a_face_that_fills_the_picture_is_one_face(name: str, margin: float):
    image, box = _open_photo(f"{name}.jpg"), _predict(photo(f"{name}.jpg")).sightings[0].box_px
    assert box is not None
    left, top, right, bottom = box
    across, down = margin * (right - left), margin * (bottom - top)
    close = image.crop((int(left - across), int(top - down), int(right + across), int(bottom + down)))

    prediction = _predict(_encoded(close))

    assert [(one.label, one.status) for one in prediction.sightings] == [(name.rstrip("23"), "known")]


TURNS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("name", ["obama", "obama2", "biden"])
def test_a_person_in_a_picture_turned_without_exif_is_never_a_stranger(name: str, turn: Image.Transpose):
    sightings = _predict(_encoded(_open_photo(f"{name}.jpg").transpose(turn))).sightings

    assert {one.label for one in sightings} <= {name.rstrip("2"), "unfit"}


@pytest.mark.parametrize(
    ("name", "turn"),
    [
        *(("biden", turn) for turn in TURNS),
        *(("obama", turn) for turn in TURNS[1:]),
        *(("obama2", turn) for turn in TURNS[:2]),
    ],
)
def test_a_person_in_a_picture_turned_without_exif_is_recognised(name: str, turn: Image.Transpose):
    sightings = _predict(_encoded(_open_photo(f"{name}.jpg").transpose(turn))).sightings

    assert [one.label for one in sightings] == [name.rstrip("2")]


@pytest.mark.parametrize("name", ["obama_partial_face2", "obama3"])
def test_a_pattern_whose_landmarks_do_not_fit_is_no_face(name: str):
    assert len(_predict(photo(f"{name}.jpg")).sightings) == 1


def test_an_unknown_person_is_similar_to_themselves_in_another_photo():
    alone = faces_model(lambda _name, _space: _two_enrolled().without_person("obama"))

    first = alone.predict(photo("obama.jpg"), {}, ignore_stage).sightings[0]
    second = alone.predict(photo("obama2.jpg"), {}, ignore_stage).sightings[0]

    assert (first.status, second.status) == ("unknown", "unknown")
    assert first.vector is not None
    assert second.vector is not None
    assert first.same_subject_threshold is not None
    assert first.vector @ second.vector >= first.same_subject_threshold


def test_all_faces_are_unknown_if_nobody_is_enrolled():
    prediction = faces_model().predict(photo("obama.jpg"), {}, ignore_stage)

    assert [(one.status, one.score, one.threshold) for one in prediction.sightings] == [
        ("unknown", None, None)
    ]


def test_a_photo_without_a_face_has_no_sightings():
    prediction = _predict(_encoded(Image.effect_noise((640, 480), 20).filter(ImageFilter.GaussianBlur(8))))

    assert (prediction.sightings, prediction.found, prediction.size_px) == ((), 0, (640, 480))


def test_two_people_in_one_picture_are_both_recognised():
    both = _side_by_side("obama2.jpg", "biden.jpg")

    assert {one.label for one in _predict(both).sightings} == {"obama", "biden"}


def test_a_person_in_a_rotated_photo_is_recognised():
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = _open_photo("obama2.jpg").transpose(Image.Transpose.ROTATE_90)

    prediction = _predict(_encoded(sideways, exif=exif))

    assert [one.label for one in prediction.sightings] == ["obama"]
    assert prediction.size_px == (626, 1200)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP"])
def test_a_person_is_recognised_in_every_image_format(kind: str):
    assert [one.label for one in _predict(_encoded(_open_photo("obama2.jpg"), kind)).sightings] == ["obama"]


def test_a_tiny_face_is_found_by_tiles_in_a_wide_scene():
    wide = Image.new("RGB", (3200, 1400), (120, 125, 130))
    wide.paste(_open_photo("obama2.jpg").resize((94, 180)), (2700, 900))

    prediction = _predict(_encoded(wide), detect="tiles")

    assert [one.status for one in _predict(_encoded(wide), detect="320").sightings] == []
    assert len(prediction.sightings) == 1
    box = prediction.sightings[0].box_px
    assert box is not None
    assert 2700 < box[0] < 2794
    assert 900 < box[1] < 1080


def test_a_person_is_recognised_in_a_noisy_photo():
    small = np.asarray(_open_photo("obama2.jpg").resize((188, 360)), np.float32)
    noisy = np.clip(small + np.random.default_rng(3).normal(0, 22, small.shape), 0, 255).astype(np.uint8)

    assert [one.label for one in _predict(_encoded(Image.fromarray(noisy), "PNG")).sightings] == ["obama"]


def test_a_blurred_face_is_unfit_with_the_issue_blurred():
    prediction = _predict(_encoded(_open_photo("biden.jpg").filter(ImageFilter.GaussianBlur(15))))

    assert [(one.status, one.quality_issues) for one in prediction.sightings] == [("unfit", ("blurred",))]
    assert prediction.sightings[0].score is None


def test_decoding_at_a_reduced_size_changes_the_vector_little():
    data = photo("obama3.jpg")

    draft = _recognizer().analyze(data).faces[0]
    full = _recognizer().analyze(_encoded(_open_photo("obama3.jpg"), "PNG")).faces[0]

    assert float(draft.vector @ full.vector) > 0.98


def test_boxes_and_landmarks_are_in_pixels_of_the_upright_photo():
    face = _recognizer().analyze(photo("obama3.jpg")).faces[0]

    left, top, right, bottom = face.box_px
    middle = face.landmarks.mean(axis=0)
    assert face.landmarks.shape == (68, 2)
    assert left < middle[0] < right
    assert top < middle[1] < bottom
    assert np.linalg.norm(face.vector) == pytest.approx(1, abs=1e-5)


def test_stages_are_reported_when_they_begin():
    stages: list[str] = []

    _recognizer().predict(photo("obama.jpg"), {}, stages.append)

    assert stages == ["decode", "detect", "align", "embed", "match"]


def test_faces_beyond_the_card_s_limit_are_counted_but_not_reported():
    crowd = Image.new("RGB", (2400, 1800), (128, 128, 128))
    head = _open_photo("obama2.jpg").crop((120, 180, 520, 680)).resize((200, 250))
    for index in range(72):
        crowd.paste(head, (200 * (index % 12), 290 * (index // 12)))

    prediction = _predict(_encoded(crowd), detect="640")

    assert len(prediction.sightings) == 40
    assert prediction.found > 60


def test_an_unknown_option_is_rejected():
    with pytest.raises(UnknownOption, match="auto, 320, 480, 640, tiles"):
        _predict(photo("obama.jpg"), detect="1000")


@pytest.mark.parametrize(
    ("data", "error"),
    [(b"", EmptyFile), (b"no picture", NotAnImage), (photo("obama.jpg")[:9000], TruncatedImage)],
)
def test_unreadable_files_are_rejected_with_a_reason(data: bytes, error: type[Exception]):
    with pytest.raises(error):
        _predict(data)


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (500, 2), (7, 7)])
def test_the_smallest_pictures_contain_no_face(size: tuple[int, int]):
    assert _predict(_encoded(Image.new("RGB", size, (200, 150, 120)), "PNG")).sightings == ()


def test_templates_of_another_embedding_space_are_never_compared():
    stale = faces_model(lambda _name, _space: Gallery("another", _two_enrolled().segments))

    with pytest.raises(EmbeddingSpaceMismatch):
        stale.predict(photo("obama.jpg"), {}, ignore_stage)


def test_a_good_photo_becomes_a_template():
    template = _create_template(photo("obama.jpg"), "obama")

    assert {space: vector.shape for space, vector in template.vectors.items()} == {
        _recognizer().embedding_space: (512,)
    }
    assert template.quality > 0.9


def test_a_second_photo_of_the_same_person_is_accepted():
    assert _create_template(photo("obama2.jpg"), "obama").quality > 0.5


def test_enrolment_rejects_a_photo_without_a_face():
    with pytest.raises(NoFace):
        _create_template(_encoded(Image.new("RGB", (400, 400), (90, 90, 90))), "somebody")


def test_enrolment_rejects_a_photo_with_several_faces():
    with pytest.raises(SeveralFaces):
        _create_template(_side_by_side("obama2.jpg", "biden.jpg"), "somebody")


def test_enrolment_rejects_a_face_of_low_quality():
    with pytest.raises(LowQuality, match="blurred"):
        _create_template(_encoded(_open_photo("biden.jpg").filter(ImageFilter.GaussianBlur(15))), "somebody")


def test_enrolment_rejects_the_face_of_another_person_without_naming_them():
    with pytest.raises(AlreadyEnrolled) as refused:
        _create_template(photo("obama2.jpg"), "somebody")

    assert "obama" not in str(refused.value)
    assert refused.value.reason == "already-enrolled"


def _frame_with_face_of(height_px: int) -> bytes:
    """A frame of 1920×1080 pixels with one person."""
    person = _open_photo("obama2.jpg").crop((0, 100, 626, 900))
    scale = height_px / 400  # the face's height in the photograph
    frame = Image.new("RGB", (1920, 1080), (112, 118, 124))
    frame.paste(
        person.resize((round(626 * scale), round(800 * scale)), Image.Resampling.LANCZOS), (1200, 500)
    )
    return _encoded(frame, quality=92)


def _detector_inputs(image: Image.Image) -> list[tuple[int, int]]:
    """The (width, height) of each run of the detector at all scales."""
    models = bundled_models()
    pipeline = open_face_pipeline(models.open_part("faces"), models.open_part)
    opened = pipeline.detector.session
    session = RecordingSession(opened.runtime, opened.input_name)
    detect_at_all_scales(replace(pipeline.detector, session=session), image, pipeline.card.detection.auto)
    return session.sizes


@dataclass(frozen=True, slots=True)
class RecordingSession(Session):
    """A session that records the (width, height) of its inputs."""

    sizes: list[tuple[int, int]] = field(default_factory=list)

    def run(self, outputs: list[str], tensor: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        self.sizes.append((tensor.shape[3], tensor.shape[2]))
        return Session.run(self, outputs, tensor)


def _create_template(data: bytes, person: str) -> Template:
    return create_template(data, model=_recognizer(), person=person, gallery=_two_enrolled())


def _open_photo(name: str) -> Image.Image:
    return Image.open(io.BytesIO(photo(name))).convert("RGB")


def _side_by_side(left: str, right: str) -> bytes:
    left_image, right_image = (_open_photo(name).resize((600, 1100)) for name in (left, right))
    both = Image.new("RGB", (1200, 1100))
    both.paste(left_image, (0, 0))
    both.paste(right_image, (600, 0))
    return _encoded(both)


def _encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def ignore_stage(stage: str) -> None:
    """No stage matters here."""
