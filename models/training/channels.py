"""A job's channels as arrays: a manifest with its files, or .npz sets; pictures prepared as in serving."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.training.errors import BadData
from vigil.learn import manifest
from vigil.predict.card import Accepts, Preparation
from vigil.predict.decode import decode
from vigil.predict.prepare import tensor

MANIFEST = "manifest.jsonl"
ACCEPTS = Accepts(
    frozenset({".jpg", ".jpeg", ".png", ".webp"}), ("JPEG", "PNG", "WEBP"), 10_000_000, 40_000_000, 128
)
"""The files that a trained classifier reads, here and when it serves."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """A split.

    values  (N, C, H, W) uint8 pictures at the network's size, or (N, D) float32 vectors
    labels  of each; `groups` likewise, empty where nothing is said
    slices  {"source": ("door", …)}: what every item has a value for
    """

    values: NDArray[Any]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    slices: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.labels)

    def truth(self, labels: tuple[str, ...]) -> NDArray[np.int64]:
        """(N,) int64: each label's place. Raises BadData for one that there is not."""
        unknown = sorted(set(self.labels) - set(labels))
        if unknown:
            raise BadData(f"labels that the train channel has not: {', '.join(unknown[:5])}")
        place = {label: n for n, label in enumerate(labels)}
        return np.array([place[label] for label in self.labels], np.int64)


def read(folder: Path, preparation: Preparation | None) -> Samples:
    """A channel's samples. Raises BadData.

    preparation  of pictures; None where vectors are wanted
    """
    if (folder / MANIFEST).is_file():
        return _listed(folder, preparation)
    packed = sorted(folder.glob("*.npz")) if folder.is_dir() else []
    if not packed:
        raise BadData(f"channel {folder.name} has neither {MANIFEST} nor any .npz file")
    return _joined([_packed(path, preparation) for path in packed])


def prepared(pictures: Iterator[Image.Image], preparation: Preparation) -> NDArray[np.uint8]:
    """Pictures as (N, C, H, W) uint8: what serving makes of them before mean and scale."""
    planes = [tensor(picture, preparation)[0].round().astype(np.uint8) for picture in pictures]
    depth = 1 if preparation.channels == "grey" else 3
    width, height = preparation.size or (0, 0)
    empty = np.empty((0, depth, height, width), np.uint8)
    return np.stack(planes) if planes else empty


def _listed(folder: Path, preparation: Preparation | None) -> Samples:
    if preparation is None:
        raise BadData(f"channel {folder.name}: a manifest lists pictures; vectors come as .npz")
    entries = manifest.read((folder / MANIFEST).read_text("utf-8"))
    shared = set.intersection(*(set(entry.slices) for entry in entries)) if entries else set()
    return Samples(
        prepared((_decoded(folder / entry.object, preparation) for entry in entries), preparation),
        tuple(entry.label for entry in entries),
        tuple(entry.group for entry in entries),
        {name: tuple(entry.slices[name] for entry in entries) for name in sorted(shared)},
    )


def _decoded(path: Path, preparation: Preparation) -> Image.Image:
    """As serving decodes it: a large JPEG is unpacked at a fraction of its size."""
    if not path.is_file():
        raise BadData(f"the manifest lists {path.name}, and it is not in the channel")
    return decode(path.read_bytes(), ACCEPTS, side_px=2 * max(preparation.size or (0, 0))).image


def _packed(path: Path, preparation: Preparation | None) -> Samples:
    """Arrays: images or vectors, labels, perhaps groups and slice_<name>; `names` tells labels' names."""
    with np.load(path, allow_pickle=False) as held:
        arrays = {name: held[name] for name in held.files}
    wanted = "vectors" if preparation is None else "images"
    if wanted not in arrays or "labels" not in arrays:
        raise BadData(f"{path.name} must hold {wanted} and labels; it holds {', '.join(arrays)}")
    values = (
        arrays[wanted].astype(np.float32) if preparation is None else _pictures(arrays[wanted], preparation)
    )
    return Samples(
        values,
        _labels(arrays),
        tuple(map(str, arrays["groups"].ravel())) if "groups" in arrays else (),
        {
            n.removeprefix("slice_"): tuple(map(str, a.ravel()))
            for n, a in arrays.items()
            if n.startswith("slice_")
        },
    )


def _labels(arrays: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    labels = arrays["labels"].ravel()
    return tuple(str(label) for label in (arrays["names"][labels] if "names" in arrays else labels))


def _pictures(images: NDArray[np.uint8], preparation: Preparation) -> NDArray[np.uint8]:
    return prepared((Image.fromarray(image).convert("RGB") for image in images), preparation)


def _joined(parts: list[Samples]) -> Samples:
    """Several files of one split as one; only what all of them tell is kept."""
    shared = set.intersection(*(set(part.slices) for part in parts))
    grouped = all(part.groups for part in parts)
    return Samples(
        np.concatenate([part.values for part in parts]),
        tuple(label for part in parts for label in part.labels),
        tuple(group for part in parts for group in part.groups) if grouped else (),
        {name: tuple(value for part in parts for value in part.slices[name]) for name in sorted(shared)},
    )
