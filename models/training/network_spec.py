"""Builds the ONNX graph of a recipe's layers with initial weights; the same graph is trained and released."""

import re
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.training.errors import InvalidRecipe
from models.training.recipe import NetworkSpec

OPSET, IR_VERSION = 17, 8
LAYER_PATTERN = re.compile(r"(conv|dense)([1-9][0-9]{0,3})|pool|mean")


@dataclass(slots=True)
class GraphBuilder:
    """A graph under construction; `shape` is of its last value, without the batch."""

    rng: np.random.Generator
    current_value: str
    shape: tuple[int, ...]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def add_node(self, op_type: str, *extra_inputs: str, **attributes: int | list[int]) -> None:
        out = f"{op_type.lower()}{len(self.nodes)}"
        node = helper.make_node(op_type, [self.current_value, *extra_inputs], [out], name=out)
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        self.nodes.append(node)
        self.current_value = out

    def add_weights(self, name: str, *shape: int, fan_in: int) -> str:
        """He initialisation, for layers with ReLU."""
        values = self.rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def add_zeros(self, name: str, size: int) -> str:
        self.weights.append(numpy_helper.from_array(np.zeros(size, np.float32), name))
        return name


def build_network(
    spec: NetworkSpec, *, shape: tuple[int, int, int], outputs: int, seed: int
) -> onnx.ModelProto:
    """The graph: "image" (batch, C, H, W) to "logits" (batch, outputs)."""
    builder = GraphBuilder(np.random.default_rng(seed), "image", shape)
    for index, layer in enumerate(spec.layers):
        _add_layer(builder, layer, f"layer{index}", spec.dropout)
    _add_dense(builder, "head", outputs, spec.dropout)
    return build_model(builder, shape, outputs)


def build_model(builder: GraphBuilder, shape: tuple[int, ...], outputs: int) -> onnx.ModelProto:
    """The finished and checked model."""
    builder.nodes[-1].output[0] = "logits"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", *shape])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", outputs])
    graph = helper.make_graph(builder.nodes, "network", [image], [logits], builder.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def _add_layer(builder: GraphBuilder, layer: str, name: str, dropout: float) -> None:
    match = LAYER_PATTERN.fullmatch(layer)
    if match is None:
        raise InvalidRecipe(f"network.layers: unknown layer {layer!r}; known: conv32, pool, mean, dense64")
    if match[1] == "dense":
        _add_dense(builder, name, int(match[2]), dropout)
        builder.add_node("Relu")
    elif len(builder.shape) != 3:
        raise InvalidRecipe(f"network.layers: {layer!r} cannot follow a dense layer")
    elif match[1] == "conv":
        _add_conv(builder, name, int(match[2]))
    elif layer == "pool":
        builder.add_node("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        builder.shape = (builder.shape[0], builder.shape[1] // 2, builder.shape[2] // 2)
    else:
        builder.add_node("GlobalAveragePool")
        builder.shape = (builder.shape[0], 1, 1)


def _add_conv(builder: GraphBuilder, name: str, channels: int) -> None:
    depth = builder.shape[0]
    kernel = builder.add_weights(f"{name}.weight", channels, depth, 3, 3, fan_in=9 * depth)
    bias = builder.add_zeros(f"{name}.bias", channels)
    builder.add_node("Conv", kernel, bias, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    builder.add_node("Relu")
    builder.shape = (channels, *builder.shape[1:])


def _add_dense(builder: GraphBuilder, name: str, size: int, dropout: float) -> None:
    if len(builder.shape) > 1:
        builder.add_node("Flatten")
        builder.shape = (int(np.prod(builder.shape)),)
    if dropout:
        builder.add_node("Dropout", _add_dropout_ratio(builder, name, dropout))
    weight = builder.add_weights(f"{name}.weight", size, builder.shape[0], fan_in=builder.shape[0])
    builder.add_node("Gemm", weight, builder.add_zeros(f"{name}.bias", size), transB=1)
    builder.shape = (size,)


def _add_dropout_ratio(builder: GraphBuilder, name: str, dropout: float) -> str:
    ratio: NDArray[np.float32] = np.array(dropout, np.float32)
    builder.weights.append(numpy_helper.from_array(ratio, f"{name}.dropout"))
    return f"{name}.dropout"
