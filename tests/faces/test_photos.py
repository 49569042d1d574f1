"""The whole model on real photographs: who is recognised, who is refused, what is told on the way."""

import io
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tests.faces_at_hand import faces_model, photo
from vigil.errors import EmptyFile, NotAnImage, TruncatedImage
from vigil.faces.enrol import AlreadyEnrolled, LowQuality, NoFace, SeveralFaces, Template, examine, grow
from vigil.faces.gallery import Gallery
from vigil.faces.match import OtherSpace
from vigil.faces.pipeline import FacesModel
from vigil.faces.sight import UnknownOption
from vigil.seeing import Scene

WAYS = ("320", "480", "640", "tiles")


@cache
def _model() -> FacesModel:
    return faces_model(lambda _embed: _two_enrolled())


@cache
def _two_enrolled() -> Gallery:
    model = faces_model()
    gallery = Gallery(model.embed)
    for name in ("obama", "biden"):
        template = examine(photo(f"{name}.jpg"), model=model, person=name, gallery=gallery)
        gallery = grow(gallery, name, [template], frozenset({f"tag-{name}"}))
    return gallery


def _see(data: bytes, **options: str) -> Scene:
    return _model().see(data, options, _unmarked)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("obama2", "obama"),
        ("obama3", "obama"),
        ("obama_partial_face", "obama"),
        ("obama_partial_face2", "obama"),
        ("biden", "biden"),
    ],
)
def test_an_enrolled_person_is_recognised_at_every_detector_size(name: str, who: str, way: str):
    scene = _see(photo(f"{name}.jpg"), detect=way)

    assert [(one.label, one.status) for one in scene.sightings] == [(who, "known")]
    assert scene.sightings[0].tags == {f"tag-{who}"}
    assert scene.notes["detect"] == way


def test_a_second_look_for_landmarks_can_be_left_out_and_a_small_face_is_known_all_the_same():
    small = io.BytesIO()
    picture = Image.open(io.BytesIO(photo("obama2.jpg")))
    picture.resize((picture.width // 8, picture.height // 8)).save(small, "PNG")

    twice, once = _see(small.getvalue()), _see(small.getvalue(), landmarks="once")

    assert [one.label for one in once.sightings] == [one.label for one in twice.sightings] == ["obama"]
    assert once.sightings[0].score != twice.sightings[0].score
    assert ("landmarks" in twice.notes, once.notes["landmarks"]) == (False, "once")


def test_a_number_of_looks_that_is_not_offered_is_refused():
    with pytest.raises(UnknownOption, match="once"):
        _see(photo("obama2.jpg"), landmarks="thrice")


def test_a_stranger_is_unknown_and_can_be_told_again():
    alone = faces_model(lambda _embed: _two_enrolled().without_person("obama"))

    first = alone.see(photo("obama.jpg"), {}, _unmarked).sightings[0]
    second = alone.see(photo("obama2.jpg"), {}, _unmarked).sightings[0]

    assert (first.status, second.status) == ("unknown", "unknown")
    assert first.vector is not None
    assert second.vector is not None
    assert first.same_as is not None
    assert first.vector @ second.vector >= first.same_as


def test_with_nobody_enrolled_everyone_is_unknown():
    scene = faces_model().see(photo("obama.jpg"), {}, _unmarked)

    assert [(one.status, one.score, one.threshold) for one in scene.sightings] == [("unknown", None, None)]


def test_a_photo_without_a_face_has_no_sightings():
    scene = _see(_encoded(Image.effect_noise((640, 480), 20).filter(ImageFilter.GaussianBlur(8))))

    assert (scene.sightings, scene.found, scene.size_px) == ((), 0, (640, 480))


def test_two_people_in_one_picture_are_both_recognised():
    both = _side_by_side("obama2.jpg", "biden.jpg")

    assert {one.label for one in _see(both).sightings} == {"obama", "biden"}


def test_a_photo_taken_sideways_is_recognised():
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = _opened("obama2.jpg").transpose(Image.Transpose.ROTATE_90)

    scene = _see(_encoded(sideways, exif=exif))

    assert [one.label for one in scene.sightings] == ["obama"]
    assert scene.size_px == (626, 1200)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP"])
def test_every_format_is_recognised(kind: str):
    assert [one.label for one in _see(_encoded(_opened("obama2.jpg"), kind)).sightings] == ["obama"]


def test_a_tiny_face_is_found_by_tiles_in_a_wide_scene():
    wide = Image.new("RGB", (3200, 1400), (120, 125, 130))
    wide.paste(_opened("obama2.jpg").resize((94, 180)), (2700, 900))

    scene = _see(_encoded(wide), detect="tiles")

    assert [one.status for one in _see(_encoded(wide), detect="320").sightings] == []
    assert len(scene.sightings) == 1
    box = scene.sightings[0].box_px
    assert box is not None
    assert 2700 < box[0] < 2794
    assert 900 < box[1] < 1080


def test_a_noisy_photo_is_recognised():
    small = np.asarray(_opened("obama2.jpg").resize((188, 360)), np.float32)
    noisy = np.clip(small + np.random.default_rng(3).normal(0, 22, small.shape), 0, 255).astype(np.uint8)

    assert [one.label for one in _see(_encoded(Image.fromarray(noisy), "PNG")).sightings] == ["obama"]


def test_a_blurred_face_is_unfit_and_says_why():
    scene = _see(_encoded(_opened("biden.jpg").filter(ImageFilter.GaussianBlur(15))))

    assert [(one.status, one.faults) for one in scene.sightings] == [("unfit", ("blurred",))]
    assert scene.sightings[0].score is None


def test_what_a_jpeg_is_unpacked_to_changes_the_vector_little():
    data = photo("obama3.jpg")

    draft = _model().look(data).faces[0]
    full = _model().look(_encoded(_opened("obama3.jpg"), "PNG")).faces[0]

    assert float(draft.vector @ full.vector) > 0.98


def test_detail_is_in_pixels_of_the_upright_photo():
    face = _model().look(photo("obama3.jpg")).faces[0]

    left, top, right, bottom = face.box_px
    middle = face.landmarks.mean(axis=0)
    assert face.landmarks.shape == (68, 2)
    assert left < middle[0] < right
    assert top < middle[1] < bottom
    assert np.linalg.norm(face.vector) == pytest.approx(1, abs=1e-5)


def test_stages_are_marked_as_they_begin():
    stages: list[str] = []

    _model().see(photo("obama.jpg"), {}, stages.append)

    assert stages == ["decode", "detect", "align", "embed", "match"]


def test_only_as_many_faces_as_the_card_keeps_are_kept_but_all_are_counted():
    crowd = Image.new("RGB", (2400, 1800), (128, 128, 128))
    head = _opened("obama2.jpg").crop((120, 180, 520, 680)).resize((200, 250))
    for place in range(72):
        crowd.paste(head, (200 * (place % 12), 290 * (place // 12)))

    scene = _see(_encoded(crowd), detect="640")

    assert len(scene.sightings) == 40
    assert scene.found > 60


def test_an_option_that_there_is_not_is_refused():
    with pytest.raises(UnknownOption, match="320, 480, 640, tiles"):
        _see(photo("obama.jpg"), detect="1000")


@pytest.mark.parametrize(
    ("data", "error"),
    [(b"", EmptyFile), (b"no picture", NotAnImage), (photo("obama.jpg")[:9000], TruncatedImage)],
)
def test_bad_files_are_refused_by_name(data: bytes, error: type[Exception]):
    with pytest.raises(error):
        _see(data)


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (500, 2), (7, 7)])
def test_the_smallest_pictures_hold_no_face_and_break_nothing(size: tuple[int, int]):
    assert _see(_encoded(Image.new("RGB", size, (200, 150, 120)), "PNG")).sightings == ()


def test_templates_of_another_embedding_are_never_compared():
    stale = faces_model(lambda _embed: Gallery("another", _two_enrolled().people))

    with pytest.raises(OtherSpace):
        stale.see(photo("obama.jpg"), {}, _unmarked)


def test_a_good_photo_becomes_a_template():
    template = _examine(photo("obama.jpg"), "obama")

    assert {space: vector.shape for space, vector in template.vectors.items()} == {_model().embed: (512,)}
    assert template.quality > 0.9


def test_a_second_photo_of_the_same_person_is_accepted():
    assert _examine(photo("obama2.jpg"), "obama").quality > 0.5


def test_enrolment_refuses_no_face():
    with pytest.raises(NoFace):
        _examine(_encoded(Image.new("RGB", (400, 400), (90, 90, 90))), "somebody")


def test_enrolment_refuses_several_faces():
    with pytest.raises(SeveralFaces):
        _examine(_side_by_side("obama2.jpg", "biden.jpg"), "somebody")


def test_enrolment_refuses_a_poor_face():
    with pytest.raises(LowQuality, match="blurred"):
        _examine(_encoded(_opened("biden.jpg").filter(ImageFilter.GaussianBlur(15))), "somebody")


def test_enrolment_refuses_a_face_that_is_somebody_else_and_does_not_say_whose():
    with pytest.raises(AlreadyEnrolled) as refused:
        _examine(photo("obama2.jpg"), "somebody")

    assert "obama" not in str(refused.value)
    assert refused.value.reason == "already-enrolled"


def _examine(data: bytes, person: str) -> Template:
    return examine(data, model=_model(), person=person, gallery=_two_enrolled())


def _opened(name: str) -> Image.Image:
    return Image.open(io.BytesIO(photo(name))).convert("RGB")


def _side_by_side(left: str, right: str) -> bytes:
    one, other = (_opened(name).resize((600, 1100)) for name in (left, right))
    both = Image.new("RGB", (1200, 1100))
    both.paste(one, (0, 0))
    both.paste(other, (600, 0))
    return _encoded(both)


def _encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _unmarked(stage: str) -> None:
    """No stage matters here."""
