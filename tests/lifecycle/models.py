"""Hand-made graphs: a first release from fifty pictures, and a release that fails on white images."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tests.lifecycle.dataset import SIDE_PX, Digit

MODEL = "digits"
LABELS = tuple("0123456789")
IMAGES_PER_DIGIT = 5
"""Pictures per digit in the first release."""

CARD = f"""\
[model]
name = "{MODEL}"
version = "first"
summary = "a handwritten digit, by its likeness to the mean of five"

[pipeline]
kind = "classifier"

[accepts]
suffixes = [".png"]
formats = ["PNG"]
max_bytes = 1_000_000
max_pixels = 1_000_000
background_grey = 0

[network]
file = "model.onnx"
threads = 1

[input]
name = "image"
layout = "nchw"
size = [{SIDE_PX}, {SIDE_PX}]
channels = "grey"
mean = [0.0]
scale = [255.0]
fit = "stretch"
fill = 0

[output]
name = "logits"
head = "softmax"
labels = {list(LABELS)}
threshold = 0.0
max_labels = 1

[licence]
spdx = "Apache-2.0"
""".replace("'", '"')


def write_first_release(folder: Path, digits: Sequence[Digit]) -> None:
    """Write the first release to `folder`: nearest of ten means."""
    release_dir = folder / MODEL
    release_dir.mkdir(parents=True)
    vectors = np.stack([_to_vector(digit.image) for digit in digits])
    labels = np.array([digit.label for digit in digits])
    means = np.stack([vectors[labels == label][:IMAGES_PER_DIGIT].mean(axis=0) for label in LABELS])
    model = _nearest_mean_network(means.astype(np.float32))
    onnx.save(model, str(release_dir / "model.onnx"))
    (release_dir / "golden.toml").write_text(golden_toml(model.SerializeToString()), "utf-8")
    (release_dir / "card.toml").write_text(CARD, "utf-8")


def broken_on_white(graph: bytes) -> bytes:
    """Return the network with a node that fails if the mean of its input exceeds 1, as on white images."""
    model = onnx.load_model_from_string(graph)
    input_name, output_name = model.graph.input[0].name, model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["sound" if name == output_name else name for name in node.output]
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "nothing"))
    model.graph.node.extend(
        [
            helper.make_node("ReduceMean", [input_name], ["mean"], keepdims=0),
            helper.make_node("Cast", ["mean"], ["place"], to=TensorProto.INT64),
            helper.make_node("Gather", ["nothing", "place"], ["added"]),
            helper.make_node("Add", ["sound", "added"], [output_name]),
        ]
    )
    return bytes(model.SerializeToString())


def golden_toml(graph: bytes) -> str:
    """Return the golden answers of the graph for seeded noise, in the format of training."""
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    shape = [1, *session.get_inputs()[0].shape[1:]]
    noise = np.random.default_rng(7).uniform(-1, 1, shape).astype(np.float32)
    output = session.get_outputs()[0].name
    output_values = session.run([output], {session.get_inputs()[0].name: noise})[0].ravel()
    first, mean = [float(one) for one in output_values[:6]], float(output_values.mean())
    return (
        f'[[noise]]\nseed = 7\nshape = {shape}\noutput = "{output}"\n'
        f"output_shape = [1, {output_values.size}]\n"
        f"first = {first}\nmean = {mean}\ntolerance = {0.02 * max(1.0, float(np.abs(output_values).max()))}\n"
    )


def _nearest_mean_network(means: NDArray[np.float32]) -> onnx.ModelProto:
    """Logits decrease with the squared distance to each mean: 2 x·m - |m|², scaled."""
    weights = [
        numpy_helper.from_array(np.ascontiguousarray(means.T) * np.float32(0.2), "means"),
        numpy_helper.from_array((-0.1 * (means**2).sum(axis=1)).astype(np.float32), "lengths"),
    ]
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("Gemm", ["flat", "means", "lengths"], ["logits"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, SIDE_PX, SIDE_PX])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, len(means)])
    graph = helper.make_graph(nodes, MODEL, [image], [logits], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _to_vector(image: bytes) -> NDArray[np.float32]:
    """(1024,) float32, 0..1"""
    grey = np.asarray(Image.open(io.BytesIO(image)), np.float32)
    return grey.ravel() / np.float32(255)
