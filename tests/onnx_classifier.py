"""A tiny classifier of red, green and blue pictures: a card and a graph, for tests of the way they run."""

from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper, save_model

LABELS = ("red", "green", "blue")

CARD = """\
[model]
name = "{name}"
version = "1"
summary = "the colour of a picture"

[pipeline]
kind = "classifier"

[accepts]
suffixes = [".jpg", ".jpeg", ".png"]
formats = ["JPEG", "PNG"]
max_bytes = 5_000_000
max_pixels = 20_000_000
ground = 128

[network]
file = "model.onnx"
threads = 1

[input]
name = "image"
layout = "nchw"
size = [16, 16]
channels = "rgb"
mean = [127.5, 127.5, 127.5]
scale = [127.5, 127.5, 127.5]
fit = "stretch"
fill = 0

[output]
name = "logits"
head = "softmax"
labels = ["red", "green", "blue"]
threshold = 0.6
keep = 1

[licence]
spdx = "Apache-2.0"
holder = "this project's tests"
"""


def write_classifier(folder: Path, name: str = "tiny-colours") -> Path:
    """Write `folder`/`name` with card.toml and model.onnx, as a Shelf over `folder` expects; returns it."""
    home = folder / name
    home.mkdir(parents=True, exist_ok=True)
    (home / "card.toml").write_text(CARD.format(name=name), "utf-8")
    save_model(_graph(), str(home / "model.onnx"))
    return home


def _graph() -> ModelProto:
    """Logits are four times the mean of each channel: (1, 3, 16, 16) to (1, 3)."""
    gain = numpy_helper.from_array(np.eye(3, dtype=np.float32) * 4, "gain")
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("MatMul", ["flat", "gain"], ["logits"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph(nodes, "tiny-colours", [image], [logits], [gain])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    return model
