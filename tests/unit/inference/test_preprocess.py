"""A picture becomes the input tensor that a card describes."""

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from vigil.inference.card import Preprocessing
from vigil.inference.preprocess import to_tensor

PREPARATION = Preprocessing(
    name="image",
    size=(8, 4),
    layout="nchw",
    channels="rgb",
    mean=(127.5, 127.5, 127.5),
    scale=(127.5, 127.5, 127.5),
    fit="stretch",
    fill=0,
)


def test_black_is_minus_one_and_white_is_plus_one():
    image = Image.fromarray(
        np.repeat(np.array([[[0] * 3, [255] * 3]], np.uint8), 4, axis=0).repeat(4, axis=1)
    )

    made = to_tensor(image, PREPARATION)

    assert made.shape == (1, 3, 4, 8)
    np.testing.assert_allclose(made[0, :, :, 0], -1)
    np.testing.assert_allclose(made[0, :, :, -1], 1)


def test_channels_have_the_order_of_the_card():
    red = Image.new("RGB", (8, 4), (255, 0, 0))

    rgb = to_tensor(red, PREPARATION)[0, :, 0, 0]
    bgr = to_tensor(red, replace(PREPARATION, channels="bgr"))[0, :, 0, 0]
    grey = to_tensor(red, replace(PREPARATION, channels="grey", mean=(0.0,), scale=(1.0,)))

    np.testing.assert_allclose(rgb, [1, -1, -1])
    np.testing.assert_allclose(bgr, [-1, -1, 1])
    assert grey.shape == (1, 1, 4, 8)
    np.testing.assert_allclose(grey, 76, atol=1)


def test_the_channels_last_layout_is_the_transposed_tensor():
    image = Image.effect_noise((8, 4), 50).convert("RGB")

    last = to_tensor(image, replace(PREPARATION, layout="nhwc"))

    np.testing.assert_array_equal(last.transpose(0, 3, 1, 2), to_tensor(image, PREPARATION))


@pytest.mark.parametrize(("size", "filled"), [((40, 40), (4, 4)), ((100, 10), (8, 1)), ((10, 100), (1, 4))])
def test_padding_keeps_proportions_and_fills_the_rest(size: tuple[int, int], filled: tuple[int, int]):
    made = to_tensor(Image.new("RGB", size, (255, 255, 255)), replace(PREPARATION, fit="pad", fill=0))

    width, height = filled
    np.testing.assert_allclose(made[0, :, :height, :width], 1, atol=0.01)
    np.testing.assert_allclose(made[0, :, height:], -1)
    np.testing.assert_allclose(made[0, :, :, width:], -1)


def test_a_crop_is_the_middle_of_the_picture():
    image = Image.new("RGB", (90, 40), (0, 0, 0))
    image.paste((255, 255, 255), (10, 0, 80, 40))

    made = to_tensor(image, replace(PREPARATION, size=(8, 8), fit="crop"))

    np.testing.assert_allclose(made, 1, atol=0.01)


def test_fine_stripes_become_grey_when_reduced():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255

    made = to_tensor(Image.fromarray(stripes), replace(PREPARATION, size=(30, 30)))

    assert np.abs(made).max() < 0.15
