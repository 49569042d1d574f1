"""Reads a job's channels as arrays, from a manifest with its files or from .npz files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.training.errors import InvalidTrainingData
from vigil.inference.card import Preprocessing
from vigil.inference.images import decode_image
from vigil.inference.preprocess import to_tensor
from vigil.training.dataset import parse_manifest
from vigil.training.examples import IMAGE_LIMITS

MANIFEST_FILE = "manifest.jsonl"


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """A split.

    values  (N, C, H, W) uint8 pictures at the network's size, or (N, D) float32 vectors
    labels  one for each item
    groups  one for each item, or empty
    slices  {"source": ("door", …)}: properties that every item has
    """

    values: NDArray[Any]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    slices: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.labels)

    def class_indices(self, labels: tuple[str, ...]) -> NDArray[np.int64]:
        """(N,) int64: the index of each item's label. Raises InvalidTrainingData for an unknown label."""
        unknown = sorted(set(self.labels) - set(labels))
        if unknown:
            raise InvalidTrainingData(f"labels that are not in channel train: {', '.join(unknown[:5])}")
        index_by_label = {label: n for n, label in enumerate(labels)}
        return np.array([index_by_label[label] for label in self.labels], np.int64)


def read_channel(folder: Path, preprocessing: Preprocessing | None) -> Samples:
    """A channel's samples. Raises InvalidTrainingData.

    preprocessing  of pictures; None to read vectors
    """
    if (folder / MANIFEST_FILE).is_file():
        return _read_manifest_channel(folder, preprocessing)
    npz_files = sorted(folder.glob("*.npz")) if folder.is_dir() else []
    if not npz_files:
        raise InvalidTrainingData(f"channel {folder.name} has neither {MANIFEST_FILE} nor any .npz file")
    return _concatenate_samples([_read_npz(path, preprocessing) for path in npz_files])


def preprocess_images(images: Iterator[Image.Image], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Pictures as (N, C, H, W) uint8, preprocessed as in serving but without mean and scale."""
    planes = [to_tensor(picture, preprocessing)[0].round().astype(np.uint8) for picture in images]
    depth = 1 if preprocessing.channels == "grey" else 3
    width, height = preprocessing.size or (0, 0)
    empty = np.empty((0, depth, height, width), np.uint8)
    return np.stack(planes) if planes else empty


def _read_manifest_channel(folder: Path, preprocessing: Preprocessing | None) -> Samples:
    if preprocessing is None:
        raise InvalidTrainingData(f"channel {folder.name}: a manifest lists pictures; vectors come as .npz")
    entries = parse_manifest((folder / MANIFEST_FILE).read_text("utf-8"))
    shared = set.intersection(*(set(entry.slices) for entry in entries)) if entries else set()
    return Samples(
        preprocess_images(
            (_decode_file(folder / entry.key, preprocessing) for entry in entries), preprocessing
        ),
        tuple(entry.label for entry in entries),
        tuple(entry.group for entry in entries),
        {name: tuple(entry.slices[name] for entry in entries) for name in sorted(shared)},
    )


def _decode_file(path: Path, preprocessing: Preprocessing) -> Image.Image:
    """Decoded as in serving: a large JPEG is decoded at a fraction of its size."""
    if not path.is_file():
        raise InvalidTrainingData(f"the manifest lists {path.name}, which is not in the channel")
    return decode_image(path.read_bytes(), IMAGE_LIMITS, side_px=2 * max(preprocessing.size or (0, 0))).image


def _read_npz(path: Path, preprocessing: Preprocessing | None) -> Samples:
    """Arrays images or vectors, and labels; optional: groups, slice_<name>, and `names` of integer labels."""
    with np.load(path, allow_pickle=False) as npz:
        arrays = {name: npz[name] for name in npz.files}
    values_key = "vectors" if preprocessing is None else "images"
    if values_key not in arrays or "labels" not in arrays:
        raise InvalidTrainingData(
            f"{path.name} must hold {values_key} and labels; it holds {', '.join(arrays)}"
        )
    values = (
        arrays[values_key].astype(np.float32)
        if preprocessing is None
        else _preprocess_arrays(arrays[values_key], preprocessing)
    )
    return Samples(
        values,
        _label_texts(arrays),
        tuple(map(str, arrays["groups"].ravel())) if "groups" in arrays else (),
        {
            n.removeprefix("slice_"): tuple(map(str, a.ravel()))
            for n, a in arrays.items()
            if n.startswith("slice_")
        },
    )


def _label_texts(arrays: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    labels = arrays["labels"].ravel()
    return tuple(str(label) for label in (arrays["names"][labels] if "names" in arrays else labels))


def _preprocess_arrays(images: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    return preprocess_images((Image.fromarray(image).convert("RGB") for image in images), preprocessing)


def _concatenate_samples(parts: list[Samples]) -> Samples:
    """Several files of one split as one; groups and slices only if all files have them."""
    shared = set.intersection(*(set(part.slices) for part in parts))
    grouped = all(part.groups for part in parts)
    return Samples(
        np.concatenate([part.values for part in parts]),
        tuple(label for part in parts for label in part.labels),
        tuple(group for part in parts for group in part.groups) if grouped else (),
        {name: tuple(value for part in parts for value in part.slices[name]) for name in sorted(shared)},
    )
