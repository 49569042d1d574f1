"""The embedding that is to be bettered: its card and network, from the channel of that name."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from models.training.errors import BadData
from vigil.predict.card import Preparation
from vigil.predict.table import Table, read


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """A release's card and graph, from pictures (batch, C, H, W) to vectors (batch, D)."""

    card: Table
    model: onnx.ModelProto
    preparation: Preparation

    @property
    def length(self) -> int:
        """D."""
        return self.card.whole("output.length")

    @property
    def plain(self) -> Preparation:
        """The same pictures, before mean and scale: what is kept in memory as bytes."""
        said, depth = self.preparation, len(self.preparation.mean)
        return replace(said, mean=(0.0,) * depth, scale=(1.0,) * depth)

    def inputs(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, C, H, W) as the network takes them, from pictures prepared by `plain`."""
        mean = np.array(self.preparation.mean, np.float32)[:, np.newaxis, np.newaxis]
        scale = np.array(self.preparation.scale, np.float32)[:, np.newaxis, np.newaxis]
        inputs: NDArray[np.float32] = (pictures.astype(np.float32) - mean) / scale
        return inputs


def open_backbone(folder: Path) -> Backbone:
    """Raises BadCard, or BadData where the graph is missing."""
    card = read(folder / "card.toml")
    path = folder / card.text("network.file")
    if not path.is_file():
        raise BadData(f"the backbone's {path.name} is not beside its card")
    preparation = Preparation.read(card)
    if preparation.layout != "nchw":
        raise BadData("a backbone must take its channels first (layout nchw)")
    return Backbone(card, onnx.load(path), preparation)
