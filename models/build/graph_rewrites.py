"""Graph rewrites by name: the same function, computed faster or for more input sizes."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from models.build.files import BuildFailure

Rewrite = Callable[[onnx.ModelProto], None]

TINY = 1e-15
"""Smaller weights change no output, but their subnormal products make CPUs ten times slower."""


def apply_rewrites(data: bytes, names: Iterable[str]) -> bytes:
    """The graph after the named rewrites, in that order. Raises BuildFailure for an unknown name."""
    model = onnx.load_model_from_string(data)
    for name in names:
        if name not in REWRITES:
            raise BuildFailure(f"There is no rewrite {name!r}; there are: {', '.join(sorted(REWRITES))}.")
        REWRITES[name](model)
    _drop_unused(model.graph)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def flush_tiny_weights(model: onnx.ModelProto) -> None:
    """Set weights below TINY to zero."""
    for tensor in model.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.dtype == np.float32 and (tiny := np.abs(weights) < TINY).any():
            tensor.CopyFrom(numpy_helper.from_array(np.where(tiny, np.float32(0), weights), tensor.name))


def split_prelu(model: onnx.ModelProto) -> None:
    """PReLU(x; a) = a·x + (1-a)·ReLU(x), as 1x1 depthwise convolutions.

    onnxruntime has no PReLU in its blocked layout and would reorder the whole tensor twice for each one.
    """
    weights = _weights(model.graph)
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type == "PRelu" and node.input[1] in weights:
            nodes += _prelu_nodes(model.graph, node, weights[node.input[1]])
        else:
            nodes.append(node)
    _replace_nodes(model.graph, nodes)


def make_batch_dynamic(model: onnx.ModelProto) -> None:
    """Make the first axis of input and output dynamic, also where a Reshape fixes it to one."""
    graph = model.graph
    weights = _weights(graph)
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[1] in weights:
            sizes = np.array([-1, *_trailing_sizes(graph, node.output[0])], np.int64)
            _initializer(graph, node.input[1]).CopyFrom(numpy_helper.from_array(sizes, node.input[1]))
    for value in [*graph.input, *graph.output]:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del graph.value_info[:]


def remove_anchor_decoding(model: onnx.ModelProto) -> None:
    """End an RFB/SSD detector at its scores and raw offsets, and make height and width dynamic.

    The published anchors are constants for one input size; the runtime computes them from the card and
    decodes only candidates with a sufficient score.
    """
    graph = model.graph
    scores = next(node for node in graph.node if node.op_type == "Softmax")
    offsets = next(node.input[0] for node in graph.node if node.op_type == "Slice")
    required = _ancestors(graph, {scores.output[0], offsets})
    _replace_nodes(graph, [node for node in graph.node if set(node.output) & required])
    for node in graph.node:
        node.output[:] = ["offsets" if name == offsets else name for name in node.output]
    image = helper.make_tensor_value_info(
        graph.input[0].name, onnx.TensorProto.FLOAT, [1, 3, "height", "width"]
    )
    outputs = {scores.output[0]: 2, "offsets": 4}
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.append(image)
    graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, "anchors", columns])
        for name, columns in outputs.items()
    )


REWRITES: Mapping[str, Rewrite] = {
    "flush-tiny-weights": flush_tiny_weights,
    "split-prelu": split_prelu,
    "dynamic-batch": make_batch_dynamic,
    "remove-anchor-decoding": remove_anchor_decoding,
}


def _prelu_nodes(
    graph: onnx.GraphProto, node: onnx.NodeProto, slope: NDArray[np.float32]
) -> list[onnx.NodeProto]:
    source, out, channels = node.input[0], node.output[0], slope.size
    kernel = slope.astype(np.float32).reshape(channels, 1, 1, 1)
    graph.initializer.append(numpy_helper.from_array(kernel, f"{out}.slope"))
    graph.initializer.append(numpy_helper.from_array(np.float32(1) - kernel, f"{out}.rest"))
    return [
        _scale_channels(source, f"{out}.slope", f"{out}.sloped", channels),
        helper.make_node("Relu", [source], [f"{out}.positive"]),
        _scale_channels(f"{out}.positive", f"{out}.rest", f"{out}.lifted", channels),
        helper.make_node("Add", [f"{out}.sloped", f"{out}.lifted"], [out]),
    ]


def _scale_channels(source: str, kernel: str, out: str, channels: int) -> onnx.NodeProto:
    return helper.make_node("Conv", [source, kernel], [out], group=channels, kernel_shape=[1, 1])


def _trailing_sizes(graph: onnx.GraphProto, name: str) -> list[int]:
    """The sizes after the first axis that the graph declares for a value."""
    declared = {value.name: value for value in [*graph.output, *graph.value_info]}
    if name not in declared:
        raise BuildFailure(f"dynamic-batch needs the declared shape of {name!r}.")
    return [int(size.dim_value) for size in declared[name].type.tensor_type.shape.dim[1:]]


def _weights(graph: onnx.GraphProto) -> dict[str, NDArray[np.float32]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def _initializer(graph: onnx.GraphProto, name: str) -> onnx.TensorProto:
    found: onnx.TensorProto = next(tensor for tensor in graph.initializer if tensor.name == name)
    return found


def _ancestors(graph: onnx.GraphProto, names: set[str]) -> set[str]:
    """These values and all values that they are computed from."""
    ancestors = set(names)
    for node in reversed(graph.node):
        if set(node.output) & ancestors:
            ancestors |= set(node.input)
    return ancestors


def _replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    copies = [helper.make_node("Identity", [], []) for _ in nodes]
    for copy, node in zip(copies, nodes, strict=True):
        copy.CopyFrom(node)
    del graph.node[:]
    graph.node.extend(copies)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Remove unused weights, and weights listed as inputs (which prevent constant folding)."""
    used = {name for node in graph.node for name in node.input}
    remaining = [tensor for tensor in graph.initializer if tensor.name in used]
    names = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in names]
    del graph.initializer[:], graph.input[:]
    graph.initializer.extend(remaining)
    graph.input.extend(inputs)
