"""A recipe's layers become an ONNX graph with fresh weights: so it is learned, and so it ships."""

import re
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.training.errors import BadRecipe
from models.training.recipe import Drawing

OPSET, IR = 17, 8
LAYER = re.compile(r"(conv|dense)([1-9][0-9]{0,3})|pool|mean")


@dataclass(slots=True)
class Canvas:
    """A graph being drawn: the value at hand, and its shape without the batch."""

    rng: np.random.Generator
    at: str
    shape: tuple[int, ...]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def put(self, kind: str, *more: str, **attributes: int | list[int]) -> None:
        """One more operation on the value at hand."""
        out = f"{kind.lower()}{len(self.nodes)}"
        node = helper.make_node(kind, [self.at, *more], [out], name=out)
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        self.nodes.append(node)
        self.at = out

    def weigh(self, name: str, *shape: int, fan_in: int) -> str:
        """Weights drawn for layers with ReLU (He et al.)."""
        values = self.rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def zeros(self, name: str, size: int) -> str:
        self.weights.append(numpy_helper.from_array(np.zeros(size, np.float32), name))
        return name


def draw(drawing: Drawing, *, shape: tuple[int, int, int], outputs: int, seed: int) -> onnx.ModelProto:
    """The graph: "image" (batch, C, H, W) to "logits" (batch, outputs)."""
    canvas = Canvas(np.random.default_rng(seed), "image", shape)
    for place, layer in enumerate(drawing.layers):
        _layer(canvas, layer, f"layer{place}", drawing.dropout)
    _dense(canvas, "answer", outputs, drawing.dropout)
    return finished(canvas, shape, outputs)


def finished(canvas: Canvas, shape: tuple[int, ...], outputs: int) -> onnx.ModelProto:
    """The canvas as a checked model."""
    canvas.nodes[-1].output[0] = "logits"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", *shape])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", outputs])
    graph = helper.make_graph(canvas.nodes, "network", [image], [logits], canvas.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    onnx.checker.check_model(model)
    return model


def _layer(canvas: Canvas, layer: str, name: str, dropout: float) -> None:
    match = LAYER.fullmatch(layer)
    if match is None:
        raise BadRecipe(f"network.layers: there is no layer {layer!r}; there are conv32, pool, mean, dense64")
    if match[1] == "dense":
        _dense(canvas, name, int(match[2]), dropout)
        canvas.put("Relu")
    elif len(canvas.shape) != 3:
        raise BadRecipe(f"network.layers: {layer!r} after dense has no picture to work on")
    elif match[1] == "conv":
        _conv(canvas, name, int(match[2]))
    elif layer == "pool":
        canvas.put("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        canvas.shape = (canvas.shape[0], canvas.shape[1] // 2, canvas.shape[2] // 2)
    else:
        canvas.put("GlobalAveragePool")
        canvas.shape = (canvas.shape[0], 1, 1)


def _conv(canvas: Canvas, name: str, channels: int) -> None:
    depth = canvas.shape[0]
    kernel = canvas.weigh(f"{name}.weight", channels, depth, 3, 3, fan_in=9 * depth)
    bias = canvas.zeros(f"{name}.bias", channels)
    canvas.put("Conv", kernel, bias, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    canvas.put("Relu")
    canvas.shape = (channels, *canvas.shape[1:])


def _dense(canvas: Canvas, name: str, size: int, dropout: float) -> None:
    if len(canvas.shape) > 1:
        canvas.put("Flatten")
        canvas.shape = (int(np.prod(canvas.shape)),)
    if dropout:
        canvas.put("Dropout", _ratio(canvas, name, dropout))
    weight = canvas.weigh(f"{name}.weight", size, canvas.shape[0], fan_in=canvas.shape[0])
    canvas.put("Gemm", weight, canvas.zeros(f"{name}.bias", size), transB=1)
    canvas.shape = (size,)


def _ratio(canvas: Canvas, name: str, dropout: float) -> str:
    ratio: NDArray[np.float32] = np.array(dropout, np.float32)
    canvas.weights.append(numpy_helper.from_array(ratio, f"{name}.dropout"))
    return f"{name}.dropout"
