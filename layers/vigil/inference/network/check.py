"""The check of a release before it is built or stored: its model runs on an example of its kind of input."""

import io
import wave
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from msgspec import convert, json, to_builtins
from PIL import Image

from vigil.errors import BrokenRelease, Rejected
from vigil.inference.classifier import ClassifierCard
from vigil.inference.network.card import (
    AudioInputSpec,
    BytesInputSpec,
    ImageInputSpec,
    InputSpec,
    NetworkModelCard,
    StagesCard,
    TableInputSpec,
    TensorInputSpec,
    TextInputSpec,
)
from vigil.inference.network.model import NetworkModel
from vigil.inference.release import CARD_FILE, Release, open_release
from vigil.toml_file import InvalidToml

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
RATE_WITHOUT_CLIP_S = 1.0
"""Seconds of the example of a sound of any length."""


def check_release(release: Release) -> None:
    """Raises InvalidToml or BrokenRelease, with file, key, reason and what would be right.

    A release of a kind with code of its own is only checked for its card's encoding.
    """
    if release.read_file(CARD_FILE).startswith(BYTE_ORDER_MARK):
        raise InvalidToml(
            f"{release.card_file.file}, line 1: the file begins with a byte order mark (EF BB BF); "
            "save it as UTF-8 without one"
        )
    if release.card.pipeline.kind == "network":
        _check_network(NetworkModel(release, release.convert_card(NetworkModelCard)), release)
    elif release.card.pipeline.kind == "stages":
        release.convert_card(StagesCard)
    elif release.card.pipeline.kind == "classifier":
        _check_network(NetworkModel(release, as_network_card(release.convert_card(ClassifierCard))), release)


def check_files(name: str, files: Mapping[str, bytes]) -> None:
    """The same for the files of a release of the model `name`."""
    with TemporaryDirectory() as root:
        folder = Path(root) / name
        folder.mkdir()
        for file, data in files.items():
            (folder / file).write_bytes(data)
        check_release(open_release(Path(root), name))


def as_network_card(card: ClassifierCard) -> NetworkModelCard:
    """The card of a classifier as that of a network that does the same."""
    values: dict[str, Any] = to_builtins(card)
    output = values["output"]
    shared = {key: output[key] for key in ("name", "labels", "threshold")}
    values["input"] |= {"kind": "image"}
    values["output"] = {"kind": output["head"], "top_k": output["max_labels"], **shared}
    return convert(values, NetworkModelCard)


def _check_network(model: NetworkModel, release: Release) -> None:
    try:
        model.find_all(example_input(model.card.input))
    except (Rejected, BrokenRelease) as error:
        if str(error).startswith(release.card_file.file):
            raise
        key = "output" if isinstance(error, InvalidToml) else "network.file"
        raise release.card_file.invalid(key, f"for an example input, {error}") from error


def example_input(spec: InputSpec) -> bytes:
    """A file of the card's kind of input; always the same for one card."""
    return _EXAMPLES[type(spec)](spec)


def _example_image(spec: ImageInputSpec) -> bytes:
    width, height = spec.size or (320, 240)
    pixels = np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def _example_text(_: TextInputSpec) -> bytes:
    return b"The quick brown fox jumps over the lazy dog, and this is an example of a text."


def _example_sound(spec: AudioInputSpec) -> bytes:
    samples = round((spec.clip_s or RATE_WITHOUT_CLIP_S) * spec.rate)
    noise = np.random.default_rng(7).integers(-8000, 8000, samples, np.int16)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, spec.rate, samples, "NONE", ""))
        file.writeframes(noise.tobytes())
    return out.getvalue()


def _example_table(spec: TableInputSpec) -> bytes:
    row: dict[str, Any] = {}
    for feature in spec.features:
        middle = max(feature.minimum if feature.minimum is not None else 0.0, 0.0)
        row[feature.name] = min(middle, feature.maximum) if feature.maximum is not None else middle
        if feature.categories:
            row[feature.name] = feature.categories[0]
    return json.encode([row, row])


def _example_bytes(spec: BytesInputSpec) -> bytes:
    return np.random.default_rng(7).integers(0, 256, spec.head + spec.tail + 1, np.uint8).tobytes()


def _example_tensor(spec: TensorInputSpec) -> bytes:
    shape = tuple(length or 2 for length in spec.shape)
    out = io.BytesIO()
    np.save(out, np.random.default_rng(7).uniform(-1, 1, shape).astype(np.float32))
    return out.getvalue()


_EXAMPLES: Mapping[type, Callable[[Any], bytes]] = {
    ImageInputSpec: _example_image,
    TextInputSpec: _example_text,
    AudioInputSpec: _example_sound,
    TableInputSpec: _example_table,
    BytesInputSpec: _example_bytes,
    TensorInputSpec: _example_tensor,
}
