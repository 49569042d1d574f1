"""Every pixel format that Pillow unpacks, as RGB."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def to_rgb(image: Image.Image, ground: int) -> Image.Image:
    """RGB, 8 bits a channel; the same object where it already is.

    ground  grey level, 0..255, behind transparent pixels
    """
    if image.mode == "RGB":
        return image
    if image.mode.startswith(("I", "F")):
        return _from_deep(image)
    if image.has_transparency_data:
        return _on_ground(image.convert("RGBA"), ground)
    return image.convert("RGB")


def _on_ground(image: Image.Image, ground: int) -> Image.Image:
    canvas = Image.new("RGBA", image.size, (ground, ground, ground, 255))
    canvas.alpha_composite(image)
    return canvas.convert("RGB")


def _from_deep(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits: 16-bit by its range, anything else by its own darkest and brightest pixel."""
    deep = np.asarray(image).astype(np.float32)
    low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else _range(deep)
    grey = np.clip((deep - low) * (255 / max(high - low, 1e-12)) + 0.5, 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _range(deep: NDArray[np.float32]) -> tuple[float, float]:
    """Darkest and brightest finite value; a 32-bit picture that holds 16 bits keeps their scale."""
    finite = deep[np.isfinite(deep)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0 and 255 < high <= 65535:
        return 0.0, 65535.0
    return low, high
