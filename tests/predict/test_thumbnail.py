"""A thumbnail is small, upright and nothing but pixels; of a part, that part and a little around it."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.predict.pictures import ACCEPTS, encoded
from vigil.errors import NotAnImage
from vigil.predict.thumbnail import SIDE_PX, thumbnail

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def street() -> Image.Image:
    """Blue, with a red square whose place is 600, 200 to 700, 300."""
    image = Image.new("RGB", (1200, 800), BLUE)
    image.paste(RED, (600, 200, 700, 300))
    return image


def shown(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.format == "JPEG"
    return image


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_it_is_small_and_keeps_its_proportions(kind: str):
    small = shown(thumbnail(encoded(street(), kind), ACCEPTS))

    assert small.size == (SIDE_PX, round(SIDE_PX * 2 / 3))


def test_what_is_small_already_is_not_enlarged():
    assert shown(thumbnail(encoded(Image.new("RGB", (40, 30)), "PNG"), ACCEPTS)).size == (40, 30)


def test_where_when_and_by_what_it_was_taken_does_not_pass():
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "a maker", 6
    exif.get_ifd(0x8825)[1] = "N"
    data = encoded(street(), "JPEG", exif=exif, comment=b"at the door", xmp=b"<x>somewhere</x>")
    assert {"exif", "comment", "xmp"} <= set(Image.open(io.BytesIO(data)).info)

    made = thumbnail(data, ACCEPTS)

    assert set(shown(made).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert not any(word in made for word in (b"maker", b"door", b"somewhere"))
    assert shown(made).size == (round(SIDE_PX * 2 / 3), SIDE_PX)


def test_of_a_part_it_shows_that_part_and_a_little_around_it():
    pixels = np.asarray(shown(thumbnail(encoded(street(), "PNG"), ACCEPTS, (600, 200, 700, 300))))

    assert pixels.shape == (180, 180, 3)
    np.testing.assert_allclose(pixels[90, 90], RED, atol=8)
    np.testing.assert_allclose(pixels[10, 10], BLUE, atol=8)


@pytest.mark.parametrize(
    "box", [(-50, -50, 20, 20), (1190, 790, 1300, 900), (1200, 800, 1200, 800), (5, 5, 5, 5)]
)
def test_a_part_at_the_edge_is_cut_there(box: tuple[float, float, float, float]):
    assert min(shown(thumbnail(encoded(street(), "PNG"), ACCEPTS, box)).size) >= 1


def test_what_is_no_picture_has_none():
    with pytest.raises(NotAnImage):
        thumbnail(b"nothing", ACCEPTS)
