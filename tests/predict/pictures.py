"""Pictures in every format that the decoder must take: red left, blue right, or a ramp of grey."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from vigil.predict.card import Accepts

ACCEPTS = Accepts(
    suffixes=frozenset({".jpg"}),
    formats=("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "MPO"),
    max_bytes=1_000_000,
    max_pixels=1_000_000,
    ground=128,
)

WIDTH, HEIGHT = 48, 32


def plain() -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), (255, 0, 0))
    image.paste((0, 0, 255), (WIDTH // 2, 0, WIDTH, HEIGHT))
    return image


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def animated(kind: str) -> bytes:
    return encoded(
        plain(), kind, save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT), (0, 255, 0))]
    )


def transparent() -> Image.Image:
    """Opaque on the left half, wholly transparent on the right."""
    image = plain().convert("RGBA")
    image.putalpha(Image.fromarray(np.repeat(np.array([[255] * 24 + [0] * 24], np.uint8), HEIGHT, axis=0)))
    return image


def deep(dtype: type[np.generic], top: float) -> Image.Image:
    """Grey of more than eight bits, rising to `top` from left to right."""
    ramp = np.linspace(0, top, WIDTH).astype(dtype)
    return Image.fromarray(np.repeat(ramp[np.newaxis], HEIGHT, axis=0))


COLOURED: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encoded(plain(), "JPEG", quality=95),
    "progressive jpeg": lambda: encoded(plain(), "JPEG", quality=95, progressive=True),
    "cmyk jpeg": lambda: encoded(plain().convert("CMYK"), "JPEG", quality=95),
    "png": lambda: encoded(plain(), "PNG"),
    "palette png": lambda: encoded(plain().convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
    "rgba png": lambda: encoded(plain().convert("RGBA"), "PNG"),
    "webp": lambda: encoded(plain(), "WEBP", lossless=True),
    "bmp": lambda: encoded(plain(), "BMP"),
    "tiff": lambda: encoded(plain(), "TIFF"),
    "cmyk tiff": lambda: encoded(plain().convert("CMYK"), "TIFF"),
    "gif": lambda: encoded(plain(), "GIF"),
    "animated gif": lambda: animated("GIF"),
    "animated webp": lambda: encoded(
        plain(), "WEBP", lossless=True, save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT))]
    ),
    "animated png": lambda: animated("PNG"),
}

GREY: dict[str, Callable[[], bytes]] = {
    "grey jpeg": lambda: encoded(deep(np.uint8, 255), "JPEG", quality=95),
    "grey png": lambda: encoded(deep(np.uint8, 255), "PNG"),
    "grey and alpha png": lambda: encoded(deep(np.uint8, 255).convert("LA"), "PNG"),
    "16-bit png": lambda: encoded(deep(np.uint16, 65535), "PNG"),
    "16-bit tiff": lambda: encoded(deep(np.uint16, 65535), "TIFF"),
    "32-bit tiff": lambda: encoded(deep(np.int32, 2**31 - 1), "TIFF"),
    "float tiff": lambda: encoded(deep(np.float32, 1.0), "TIFF"),
    "1-bit png": lambda: encoded(deep(np.uint8, 255).convert("1", dither=Image.Dither.NONE), "PNG"),
}
