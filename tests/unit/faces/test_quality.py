"""Quality issues are named, and noise is estimated and reduced."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from models.build.files import CARDS
from vigil.faces.denoise import bilateral_filter, denoise_face, estimate_noise
from vigil.faces.quality import FaceMeasures, measure_roll, measure_sharpness, measure_turn
from vigil.faces.recognizer import FacesCard
from vigil.toml_file import load_toml

CARD = load_toml(CARDS / "faces" / "card.toml").convert(FacesCard)
GATE = CARD.face_quality
DENOISING = CARD.denoising
GOOD = FaceMeasures(height_px=200.0, sharpness=0.4, turn=0.1, movement=0.01)


def test_a_large_sharp_straight_face_is_of_full_quality():
    assert GATE.assess(GOOD) == (1.0, ())


@pytest.mark.parametrize(
    ("measure", "value", "quality_issue"),
    [
        ("height_px", 18.0, "small"),
        ("sharpness", 0.09, "blurred"),
        ("turn", 0.7, "turned"),
        ("movement", 0.04, "turned"),
    ],
)
def test_each_quality_issue_has_a_name(measure: str, value: float, quality_issue: str):
    quality, quality_issues = GATE.assess(replace(GOOD, **{measure: value}))

    assert quality < GATE.unfit_below
    assert quality_issues == (quality_issue,)


def test_landmarks_that_move_are_of_a_rotated_face_only_if_it_is_rotated():
    profile, rotated = replace(GOOD, movement=0.04, roll=12.0), replace(GOOD, movement=0.04, roll=93.0)

    assert [GATE.assess(one)[1] for one in (profile, rotated)] == [("turned",), ("rotated",)]
    assert GATE.assess(replace(profile, turn=0.7))[1] == ("turned",)


@pytest.mark.parametrize(("roll", "measured"), [(0, 0), (90, 90), (-90, 90), (180, 180), (30, 30)])
def test_the_roll_is_the_angle_of_the_eyes_either_way(roll: float, measured: float):
    angle = np.radians(roll)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = (np.array([[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]]) @ turn).astype(np.float32)

    assert measure_roll(points) == pytest.approx(measured, abs=1e-3)


def test_blur_lowers_sharpness():
    face = Image.effect_noise((112, 112), 60).filter(ImageFilter.GaussianBlur(1)).convert("RGB")

    assert measure_sharpness(face.filter(ImageFilter.GaussianBlur(3))) < measure_sharpness(face) / 2


def test_a_flat_picture_has_no_sharpness():
    assert measure_sharpness(Image.new("RGB", (112, 112), (90, 90, 90))) == 0


def test_a_nose_beside_the_middle_is_turned_whichever_way_the_head_is_tilted():
    straight = np.array([[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]], np.float32)
    turned = straight + np.array([[0, 0], [0, 0], [22, 0], [0, 0], [0, 0]], np.float32)
    tilt = np.array([[0.8, -0.6], [0.6, 0.8]], np.float32)

    assert measure_turn(straight) < 0.15
    assert measure_turn(turned) > 0.5
    assert measure_turn(turned @ tilt.T) == pytest.approx(measure_turn(turned), abs=1e-4)


@pytest.mark.parametrize("sigma", [5, 15, 30])
def test_noise_is_estimated(sigma: int):
    smooth = np.full((96, 96, 1), 120.0)
    noise = np.random.default_rng(0).normal(0, sigma, (96, 96, 1))
    image = Image.fromarray(np.repeat(np.clip(smooth + noise, 0, 255), 3, axis=2).astype(np.uint8))

    assert estimate_noise(image) == pytest.approx(sigma, rel=0.2)


def test_smoothing_reduces_noise_and_preserves_edges():
    clean = np.full((60, 60, 3), 60, np.uint8)
    clean[:, 30:] = 190
    noise = np.random.default_rng(0).normal(0, 12, clean.shape)
    noisy = Image.fromarray(np.clip(clean + noise, 0, 255).astype(np.uint8))

    made = np.asarray(bilateral_filter(noisy, 12, DENOISING)).astype(float)

    assert np.abs(made - clean).mean() < np.abs(np.asarray(noisy).astype(float) - clean).mean() / 2
    assert made[:, 31].mean() - made[:, 28].mean() > 110


def test_a_face_without_noise_is_not_changed():
    image = Image.new("RGB", (300, 300), (120, 110, 100))

    assert denoise_face(image, np.array([50, 50, 200, 220], np.float32), DENOISING).image is image


def test_points_map_to_a_patch_and_back():
    noisy = Image.effect_noise((900, 900), 60).convert("RGB")
    points = np.array([[300, 310], [500, 620]], np.float32)

    part = denoise_face(noisy, np.array([250, 250, 620, 680], np.float32), DENOISING)

    assert part.image is not noisy
    np.testing.assert_allclose(part.to_image(part.to_patch(points)), points, atol=1e-3)


@pytest.mark.parametrize(
    "box", [[-50, -50, 40, 60], [280, 280, 400, 420], [10, 10, 11, 11], [290, 0, 310, 40]]
)
def test_a_tiny_face_or_one_at_the_edge_has_a_patch(box: list[float]):
    noisy = Image.effect_noise((300, 300), 80).convert("RGB")

    part = denoise_face(noisy, np.array(box, np.float32), DENOISING)

    assert min(part.image.size) >= 1
