"""A network like the face embedding's, of a few hundred weights."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BACKBONE_CARD = """\
[model]
name = "tiny-embed"
version = "1"
summary = "a vector of 16"

[pipeline]
kind = "part"

[network]
file = "model.onnx"
threads = 1

[input]
name = "input"
layout = "nchw"
size = [12, 12]
channels = "bgr"
mean = [127.5, 127.5, 127.5]
scale = [127.5, 127.5, 127.5]
fit = "stretch"
fill = 0

[output]
vector = "output"
length = 16

[source]
package = "elsewhere"
version = "1.0.0"
integrity = "sha512-0"
member = "model.onnx"
sha256 = "0"
rewrites = []

[licence]
spdx = "MIT"
"""


def tiny_backbone() -> onnx.ModelProto:
    """Every kind of operation that the face network has, as published and as rewritten."""
    rng = np.random.default_rng(0)
    shapes = {"k1": (4, 3, 3, 3), "b1": (4,), "slope": (4, 1, 1), "k2": (4, 1, 3, 3), "k3": (16, 4, 6, 6)}
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.3, s).astype(np.float32), n) for n, s in shapes.items()
    ]
    weights.append(numpy_helper.from_array(np.array([-1, 16], np.int64), "flat"))
    nodes = [
        helper.make_node(
            "Conv", ["input", "k1", "b1"], ["c1"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]
        ),
        helper.make_node("PRelu", ["c1", "slope"], ["p1"]),
        helper.make_node("Conv", ["p1", "k2"], ["c2"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=4),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("Add", ["p1", "r2"], ["a2"]),
        helper.make_node("Conv", ["a2", "k3"], ["c3"], kernel_shape=[6, 6]),
        helper.make_node("Reshape", ["c3", "flat"], ["output"]),
    ]
    picture = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 12, 12])
    vector = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 16])
    graph = helper.make_graph(nodes, "tiny", [picture], [vector], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=7)
