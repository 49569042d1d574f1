"""A tiny classifier of red, green and blue pictures: card and graph."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
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
background_grey = 128

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
max_labels = 1

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


GOLDEN = """\
[[noise]]
seed = 7
shape = [1, 3, 16, 16]
output = "logits"
output_shape = [1, 3]
first = {first}
mean = {mean}
tolerance = 0.02
"""


def write_release(folder: Path, *, name: str = "tiny-colours", threshold: float = 0.6) -> dict[str, bytes]:
    """Return the files of the classifier with a golden answer, by name."""
    home = write_classifier(folder, name)
    card = home / "card.toml"
    card.write_text(card.read_text("utf-8").replace("threshold = 0.6", f"threshold = {threshold}"), "utf-8")
    noise = np.random.default_rng(7).uniform(-1, 1, (1, 3, 16, 16)).astype(np.float32)
    logits = ort.InferenceSession(str(home / "model.onnx")).run(None, {"image": noise})[0].ravel()
    golden = GOLDEN.format(first=[float(one) for one in logits], mean=float(logits.mean()))
    (home / "golden.toml").write_text(golden, "utf-8")
    return {path.name: path.read_bytes() for path in sorted(home.iterdir())}
