"""Random changes of training pictures."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from models.training.recipe import Augmentation


def augment(images: Tensor, augmentation: Augmentation) -> Tensor:
    """Change each picture at random, from torch's random state.

    images  (N, C, H, W) float32, 0 to 255; areas from outside repeat the edge
    """
    transformed = _transform_geometry(images, augmentation) if _has_geometric_change(augmentation) else images
    if not augmentation.brightness and not augmentation.contrast:
        return transformed
    count = len(images)
    contrast = 1 + _uniform(count, augmentation.contrast).view(-1, 1, 1, 1).to(images.device)
    brightness = 255 * _uniform(count, augmentation.brightness).view(-1, 1, 1, 1).to(images.device)
    mean = transformed.mean(dim=(1, 2, 3), keepdim=True)
    return ((transformed - mean) * contrast + mean + brightness).clamp(0, 255)


def _has_geometric_change(augmentation: Augmentation) -> bool:
    return bool(
        augmentation.translate or augmentation.zoom or augmentation.rotate_deg or augmentation.horizontal_flip
    )


def _transform_geometry(images: Tensor, augmentation: Augmentation) -> Tensor:
    """Translation, zoom, rotation and mirroring in one resampling."""
    count, height, width = len(images), images.shape[2], images.shape[3]
    angle = _uniform(count, math.radians(augmentation.rotate_deg))
    size = 1 + _uniform(count, augmentation.zoom)
    mirror = (
        torch.where(torch.rand(count) < 0.5, -1.0, 1.0) if augmentation.horizontal_flip else torch.ones(count)
    )
    across, down = 2 * _uniform(count, augmentation.translate), 2 * _uniform(count, augmentation.translate)
    sine, cosine = torch.sin(angle) * size, torch.cos(angle) * size
    rows = [cosine * mirror, -sine * height / width, across, sine * mirror * width / height, cosine, down]
    matrix = torch.stack(rows, dim=1).view(count, 2, 3).to(images.device)
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _uniform(count: int, limit: float) -> Tensor:
    """(count,) uniform between -limit and limit."""
    return (torch.rand(count) * 2 - 1) * limit
