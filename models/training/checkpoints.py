"""Where learning stands, in a file that is whole or not there."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

FILE = "checkpoint.pt"
DIGEST = 32
"""Bytes of the content's hash, before the content."""


@dataclass(slots=True)
class Standing:
    """Where learning stands: between two steps, exactly.

    step   of the epoch that is next
    best   score and negated loss of the best epoch so far
    stale  epochs since then
    loss   sum over this epoch's steps so far
    """

    key: str
    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    best: tuple[float, float] = (float("-inf"), float("-inf"))
    stale: int = 0
    weights: Mapping[str, Any] = field(default_factory=dict)
    best_weights: Mapping[str, Any] = field(default_factory=dict)
    optimiser: Mapping[str, Any] = field(default_factory=dict)
    scaler: Mapping[str, Any] = field(default_factory=dict)


NAMES = tuple(one.name for one in fields(Standing))


def save(standing: Standing, folder: Path) -> None:
    """Replace the checkpoint: a kill at any moment leaves the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    held = io.BytesIO()
    torch.save({name: getattr(standing, name) for name in NAMES}, held)
    fresh = folder / f"{FILE}.new"
    fresh.write_bytes(hashlib.sha256(held.getvalue()).digest() + held.getvalue())
    fresh.replace(folder / FILE)


def restore(folder: Path, key: str) -> Standing | None:
    """The standing of the same job; None where there is none, a damaged one, or another job's."""
    path = folder / FILE
    data = path.read_bytes() if path.is_file() else b""
    if len(data) <= DIGEST or hashlib.sha256(data[DIGEST:]).digest() != data[:DIGEST]:
        return None
    held = torch.load(io.BytesIO(data[DIGEST:]), map_location="cpu", weights_only=True)
    return Standing(**held) if held["key"] == key else None
