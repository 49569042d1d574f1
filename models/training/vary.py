"""Pictures changed a little at every look, so that a network learns what does not matter."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from models.training.recipe import Variation


def varied(pictures: Tensor, variation: Variation) -> Tensor:
    """Each picture moved, turned and lit in its own way; torch's random state decides how.

    pictures  (N, C, H, W) float32, 0 to 255; what comes in from outside repeats the edge
    """
    moved = _moved(pictures, variation) if _moves(variation) else pictures
    if not variation.brightness and not variation.contrast:
        return moved
    count = len(pictures)
    contrast = 1 + _draw(count, variation.contrast).view(-1, 1, 1, 1).to(pictures.device)
    brightness = 255 * _draw(count, variation.brightness).view(-1, 1, 1, 1).to(pictures.device)
    mean = moved.mean(dim=(1, 2, 3), keepdim=True)
    return ((moved - mean) * contrast + mean + brightness).clamp(0, 255)


def _moves(variation: Variation) -> bool:
    return bool(variation.shift or variation.zoom or variation.rotate_deg or variation.mirror)


def _moved(pictures: Tensor, variation: Variation) -> Tensor:
    """One resampling for shift, zoom, turn and mirror together."""
    count, height, width = len(pictures), pictures.shape[2], pictures.shape[3]
    angle = _draw(count, math.radians(variation.rotate_deg))
    size = 1 + _draw(count, variation.zoom)
    mirror = torch.where(torch.rand(count) < 0.5, -1.0, 1.0) if variation.mirror else torch.ones(count)
    across, down = 2 * _draw(count, variation.shift), 2 * _draw(count, variation.shift)
    sine, cosine = torch.sin(angle) * size, torch.cos(angle) * size
    rows = [cosine * mirror, -sine * height / width, across, sine * mirror * width / height, cosine, down]
    matrix = torch.stack(rows, dim=1).view(count, 2, 3).to(pictures.device)
    grid = functional.affine_grid(matrix, list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def _draw(count: int, most: float) -> Tensor:
    """Evenly from -most to most."""
    return (torch.rand(count) * 2 - 1) * most
