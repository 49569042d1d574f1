"""What a picture is sliced by is what a person would say of it."""

from pathlib import Path

import pytest
from PIL import Image, ImageEnhance, ImageFilter

from vigil.training.examples import crop_example, image_slices

PHOTOS = sorted((Path(__file__).parents[2] / "photos").glob("*.jpg"))


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.stem)
def test_slices_change_when_a_photograph_is_blurred_or_darkened(path: Path):
    photo = Image.open(path).convert("RGB")
    dim = ImageEnhance.Brightness(photo).enhance(0.2)

    assert image_slices(photo, []) == {"lighting": "even", "quality": "good"}
    assert image_slices(photo.filter(ImageFilter.GaussianBlur(photo.width / 60)), [])["quality"] == "poor"
    assert image_slices(dim, []) == {
        "lighting": "dark",
        "quality": "good",
    }


def test_bright_images_are_recognised_and_the_models_quality_takes_precedence():
    white = Image.new("RGB", (64, 64), (250, 250, 250))

    assert image_slices(white, [0.9, 0.3]) == {"lighting": "bright", "quality": "poor"}
    assert image_slices(white, [0.5])["quality"] == "fair"


def test_a_crop_stays_inside_the_image():
    photo = Image.new("RGB", (100, 60))

    cuts = [crop_example(photo, box).size for box in ((40, 20, 60, 40), (90, 50, 110, 70))]

    assert cuts == [(33, 33), (16, 16)]
