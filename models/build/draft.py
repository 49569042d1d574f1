"""A draft of a card from a graph: inputs and outputs as the graph declares them, the rest to be completed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort
import tomli_w
from onnxruntime.capi import onnxruntime_pybind11_state as engine

from models.build.files import BuildFailure
from vigil.inference.session import ONNXRUNTIME_ERRORS

HEADER = "# Complete what the graph does not say: labels, threshold, preprocessing, the lines marked CHECK.\n"
MAX_LISTED_LABELS = 20
"""More labels stand in a file."""

SUFFIXES = {
    "image": [".jpg", ".jpeg", ".png", ".webp"],
    "text": [".txt"],
    "audio": [".wav", ".flac", ".ogg", ".mp3"],
    "tensor": [".npy", ".json"],
}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output of a graph; `shape` has 0 for an axis of any length."""

    name: str
    type: str
    shape: tuple[int, ...]


def draft_files(name: str, graph: Path) -> dict[str, bytes]:
    """The card, the graph, and a file of labels if there are many. Raises BuildFailure."""
    inputs, outputs = _read_graph(graph)
    kind, table = _draft_input(inputs)
    output = _draft_output(outputs, kind)
    files = {"model.onnx": graph.read_bytes()}
    if len(labels := output.get("labels", [])) > MAX_LISTED_LABELS:
        files["labels.txt"] = "".join(f"{label}\n" for label in labels).encode()
        output = {key: value for key, value in output.items() if key != "labels"}
        output["labels_file"] = "labels.txt"
    card = {
        "model": {"name": name, "version": "1", "summary": "CHECK: one line about the model"},
        "pipeline": {"kind": "network"},
        "accepts": {"suffixes": SUFFIXES[kind], "max_bytes": 20_000_000},
        "network": {"file": "model.onnx", "threads": 1},
        "input": {"kind": kind, **table},
        "output": output,
        "licence": {"spdx": "CHECK: such as Apache-2.0", "holder": "CHECK"},
    }
    return {"card.toml": (HEADER + tomli_w.dumps(card)).encode(), **files}


def _read_graph(graph: Path) -> tuple[list[TensorInfo], list[TensorInfo]]:
    try:
        session = ort.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    except (*ONNXRUNTIME_ERRORS, engine.NoSuchFile) as error:
        raise BuildFailure(f"{graph} is no graph that onnxruntime opens: {error}") from error
    inputs, outputs = (
        [
            TensorInfo(
                one.name, one.type, tuple(length if isinstance(length, int) else 0 for length in one.shape)
            )
            for one in group
        ]
        for group in (session.get_inputs(), session.get_outputs())
    )
    return inputs, outputs


def _draft_input(inputs: Sequence[TensorInfo]) -> tuple[str, dict[str, Any]]:
    first = inputs[0]
    if len(first.shape) == 4 and {1, 3} & {first.shape[1], first.shape[3]}:
        return "image", _draft_image(first)
    if "int" in first.type and len(first.shape) == 2:
        by_name = {key: one.name for one in inputs for key in ("mask", "type") if key in one.name.lower()}
        ids = [one.name for one in inputs if one.name not in by_name.values()]
        names = {"name": ids[0], "mask": by_name.get("mask", ""), "types": by_name.get("type", "")}
        return "text", {**names, "tokenizer": "tokenizer.json", "max_tokens": first.shape[1] or 128}
    if len(first.shape) == 2 and (first.shape[1] == 0 or first.shape[1] >= 4000) and "audio" in first.name:
        return "audio", {"name": first.name, "rate": 16_000}
    constants = {one.name: 1 for one in inputs[1:]}
    table: dict[str, Any] = {"name": first.name, "shape": [0, *first.shape[1:]]}
    return "tensor", table | ({"constants": constants} if constants else {})


def _draft_image(tensor: TensorInfo) -> dict[str, Any]:
    is_nchw = tensor.shape[1] in (1, 3)
    depth = tensor.shape[1] if is_nchw else tensor.shape[3]
    height, width = tensor.shape[2:] if is_nchw else tensor.shape[1:3]
    table = {
        "name": tensor.name,
        "layout": "nchw" if is_nchw else "nhwc",
        "channels": "rgb" if depth == 3 else "grey",
        "mean": [127.5] * depth,
        "scale": [127.5] * depth,
        "fit": "stretch",
    }
    return table | ({"size": [width, height]} if width and height else {})


def _draft_output(outputs: Sequence[TensorInfo], kind: str) -> dict[str, Any]:
    boxes = [one for one in outputs if one.shape and one.shape[-1] == 4]
    scores = [one for one in outputs if one not in boxes and len(one.shape) == 3]
    if kind == "image" and boxes and scores:
        labels = [f"label-{number}" for number in range(scores[0].shape[-1])]
        decoder = {"kind": "boxes", "format": "ltrb"}
        table = {"scores": [one.name for one in scores], "boxes": [one.name for one in boxes]}
        return {"kind": "detection", **table, "labels": labels, "decoder": decoder}
    first = outputs[0]
    values = first.shape[-1] if len(first.shape) > 1 else 1
    if values <= 1:
        return {"kind": "binary", "name": first.name, "labels": ["negative", "positive"]}
    labels = [f"label-{number}" for number in range(values)]
    if len(first.shape) == 3:
        return {"kind": "ctc", "name": first.name, "labels": labels[1:], "activation": "softmax"}
    return {"kind": "softmax", "name": first.name, "labels": labels, "threshold": 0.5}
