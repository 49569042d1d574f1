"""Pictures in every format that the decoder must take: red left, blue right, or a ramp of grey."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from vigil.inference.card import InputLimits

LIMITS = InputLimits(
    suffixes=frozenset({".jpg"}),
    formats=("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "MPO"),
    max_bytes=1_000_000,
    max_pixels=1_000_000,
    background_grey=128,
)

WIDTH, HEIGHT = 48, 32


def two_colour_image() -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), (255, 0, 0))
    image.paste((0, 0, 255), (WIDTH // 2, 0, WIDTH, HEIGHT))
    return image


def encode_image(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def animated_image(kind: str) -> bytes:
    return encode_image(
        two_colour_image(),
        kind,
        save_all=True,
        append_images=[Image.new("RGB", (WIDTH, HEIGHT), (0, 255, 0))],
    )


def half_transparent_image() -> Image.Image:
    """Opaque on the left half, wholly transparent on the right."""
    image = two_colour_image().convert("RGBA")
    image.putalpha(Image.fromarray(np.repeat(np.array([[255] * 24 + [0] * 24], np.uint8), HEIGHT, axis=0)))
    return image


def high_bit_depth_image(dtype: type[np.generic], top: float) -> Image.Image:
    """Grey of more than eight bits, rising to `top` from left to right."""
    ramp = np.linspace(0, top, WIDTH).astype(dtype)
    return Image.fromarray(np.repeat(ramp[np.newaxis], HEIGHT, axis=0))


COLOUR_ENCODINGS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encode_image(two_colour_image(), "JPEG", quality=95),
    "progressive jpeg": lambda: encode_image(two_colour_image(), "JPEG", quality=95, progressive=True),
    "cmyk jpeg": lambda: encode_image(two_colour_image().convert("CMYK"), "JPEG", quality=95),
    "png": lambda: encode_image(two_colour_image(), "PNG"),
    "palette png": lambda: encode_image(
        two_colour_image().convert("P", palette=Image.Palette.ADAPTIVE), "PNG"
    ),
    "rgba png": lambda: encode_image(two_colour_image().convert("RGBA"), "PNG"),
    "webp": lambda: encode_image(two_colour_image(), "WEBP", lossless=True),
    "bmp": lambda: encode_image(two_colour_image(), "BMP"),
    "tiff": lambda: encode_image(two_colour_image(), "TIFF"),
    "cmyk tiff": lambda: encode_image(two_colour_image().convert("CMYK"), "TIFF"),
    "gif": lambda: encode_image(two_colour_image(), "GIF"),
    "animated gif": lambda: animated_image("GIF"),
    "animated webp": lambda: encode_image(
        two_colour_image(),
        "WEBP",
        lossless=True,
        save_all=True,
        append_images=[Image.new("RGB", (WIDTH, HEIGHT))],
    ),
    "animated png": lambda: animated_image("PNG"),
}

GREY_ENCODINGS: dict[str, Callable[[], bytes]] = {
    "grey jpeg": lambda: encode_image(high_bit_depth_image(np.uint8, 255), "JPEG", quality=95),
    "grey png": lambda: encode_image(high_bit_depth_image(np.uint8, 255), "PNG"),
    "grey and alpha png": lambda: encode_image(high_bit_depth_image(np.uint8, 255).convert("LA"), "PNG"),
    "16-bit png": lambda: encode_image(high_bit_depth_image(np.uint16, 65535), "PNG"),
    "16-bit tiff": lambda: encode_image(high_bit_depth_image(np.uint16, 65535), "TIFF"),
    "32-bit tiff": lambda: encode_image(high_bit_depth_image(np.int32, 2**31 - 1), "TIFF"),
    "float tiff": lambda: encode_image(high_bit_depth_image(np.float32, 1.0), "TIFF"),
    "1-bit png": lambda: encode_image(
        high_bit_depth_image(np.uint8, 255).convert("1", dither=Image.Dither.NONE), "PNG"
    ),
}

FORMATS = {name: make() for name, make in {**COLOUR_ENCODINGS, **GREY_ENCODINGS}.items()}
"""A file of each format by its name."""
