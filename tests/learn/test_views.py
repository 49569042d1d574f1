"""What a picture is sliced by is what a person would say of it."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance, ImageFilter

from vigil.learn.views import cut, described

PHOTOS = sorted((Path(__file__).parents[1] / "photos").glob("*.jpg"))


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.stem)
def test_a_photograph_is_good_until_it_is_blurred_and_even_until_it_is_dark(path: Path):
    photo = Image.open(path).convert("RGB")
    dim = ImageEnhance.Brightness(photo).enhance(0.2)

    assert described(photo, []) == {"lighting": "even", "quality": "good"}
    assert described(photo.filter(ImageFilter.GaussianBlur(photo.width / 60)), [])["quality"] == "poor"
    assert described(dim, []) == {
        "lighting": "dark",
        "quality": "good",
    }


def test_bright_is_said_too_and_a_models_own_quality_comes_first():
    white = Image.new("RGB", (64, 64), (250, 250, 250))

    assert described(white, [0.9, 0.3]) == {"lighting": "bright", "quality": "poor"}
    assert described(white, [0.5])["quality"] == "fair"


def test_what_is_cut_out_stays_inside_the_picture():
    photo = Image.new("RGB", (100, 60))

    cuts = [Image.open(io.BytesIO(cut(photo, box))).size for box in ((40, 20, 60, 40), (90, 50, 110, 70))]

    assert cuts == [(33, 33), (16, 16)]
