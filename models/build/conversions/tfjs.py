"""Graph models of TensorFlow.js as ONNX: JSON with the nodes and one file of weights, quantised or not."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.build.files import BuildFailure

OPSET, IR_VERSION = 18, 9
TO_NCHW, TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)

Array = NDArray[Any]
Node = Mapping[str, Any]


def tfjs_graph(published: Sequence[bytes]) -> onnx.ModelProto:
    """The ONNX graph of a graph model with one input. Raises BuildFailure for an operation that it lacks.

    published  model.json, and its weights in one file
    """
    model, weights = published
    description = json.loads(model)
    constants = _read_weights(description["weightsManifest"], weights)
    graph = _Graph(constants)
    for node in _in_order(description["modelTopology"]["node"]):
        graph.add(node)
    return graph.finish(description["signature"])


def _read_weights(manifest: list[Any], data: bytes) -> dict[str, Array]:
    """All weights by name; quantised ones as float32: a smaller float, or value · scale + min."""
    arrays: dict[str, Array] = {}
    offset = 0
    for entry in (weight for group in manifest for weight in group["weights"]):
        quantisation = entry.get("quantization", {})
        stored = np.dtype(quantisation.get("dtype", entry["dtype"]))
        count = prod(entry["shape"])
        array: Array = np.frombuffer(data, stored, count, offset).reshape(entry["shape"])
        offset += count * stored.itemsize
        if "scale" in quantisation:
            array = array * np.float64(quantisation["scale"]) + quantisation["min"]
        arrays[entry["name"]] = array.astype(np.float32 if quantisation else array.dtype)
    if offset != len(data):
        raise BuildFailure(f"The weights have {len(data)} bytes, and their manifest lists {offset}.")
    return arrays


def _in_order(nodes: list[Node]) -> list[Node]:
    """The nodes, each after those that it reads."""
    by_name = {node["name"]: node for node in nodes}
    ordered: dict[str, Node] = {}

    def visit(name: str) -> None:
        if name not in ordered:
            for before in by_name[name].get("input", ()):
                visit(_producer(before))
            ordered[name] = by_name[name]

    for name in by_name:
        visit(name)
    return list(ordered.values())


def _producer(value: str) -> str:
    return value.lstrip("^").partition(":")[0]


@dataclass(slots=True)
class _Graph:
    """The ONNX graph while it is written.

    constants   the value of every name that is known now
    transposed  the origin of a transposed value, and its order of axes
    """

    constants: dict[str, Array]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    transposed: dict[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    alias: dict[str, str] = field(default_factory=dict)

    def add(self, node: Node) -> None:
        operation, name = node["op"], node["name"]
        if operation in ("Const", "Placeholder"):
            return
        inputs = [self.alias.get(value, value) for value in node.get("input", ())]
        if operation in FOLDED and all(value in self.constants for value in inputs):
            self.constants[name] = FOLDED[operation](*(self.constants[value] for value in inputs))
        elif operation in OPERATIONS:
            OPERATIONS[operation](self, name, inputs, node.get("attr", {}))
        else:
            raise BuildFailure(f"{name}: {operation} cannot be converted; known: {', '.join(OPERATIONS)}")

    def emit(self, operation: str, inputs: list[str], *outputs: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(operation, inputs, list(outputs), **attributes))

    def constant(self, name: str, value: Array) -> str:
        self.constants[name] = value
        return name

    def transpose(self, value: str, order: tuple[int, ...], name: str) -> str:
        """The value in another order of axes: where that undoes an earlier transposition, its origin."""
        origin, before = self.transposed.get(value, (value, tuple(range(len(order)))))
        order = tuple(before[axis] for axis in order)
        if order == tuple(range(len(order))):
            self.alias[name] = origin
            return origin
        self.emit("Transpose", [origin], name, perm=order)
        self.transposed[name] = (origin, order)
        return name

    def in_nchw(self, name: str, source: str, operation: str, more: list[str], **attributes: Any) -> None:
        """An operation of channels-last values as ONNX's of channels-first ones."""
        planes = self.transpose(source, TO_NCHW, f"{name}/input")
        self.emit(operation, [planes, *more], f"{name}/planes", **attributes)
        self.transpose(f"{name}/planes", TO_NHWC, name)

    def finish(self, signature: Mapping[str, Any]) -> onnx.ModelProto:
        """The checked model with only what its outputs need."""
        (source,), results = signature["inputs"].values(), signature["outputs"].values()
        outputs = {_producer(result["name"]): _sizes(result) for result in results}
        needed, nodes = {self.alias.get(name, name) for name in outputs}, []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                nodes.append(node)
        graph = helper.make_graph(
            nodes[::-1],
            "network",
            [helper.make_tensor_value_info(_producer(source["name"]), TensorProto.FLOAT, _sizes(source))],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in outputs.items()],
            [numpy_helper.from_array(a, name) for name, a in self.constants.items() if name in needed],
        )
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return model


def _sizes(tensor: Mapping[str, Any]) -> list[int]:
    return [int(dim["size"]) for dim in tensor["tensorShape"]["dim"]]


def _integers(attributes: Mapping[str, Any], name: str) -> list[int]:
    return [int(value) for value in attributes[name]["list"]["i"]]


def _require_valid_padding(name: str, attributes: Mapping[str, Any]) -> None:
    padding = base64.b64decode(attributes["padding"]["s"]).decode()
    if padding != "VALID" or base64.b64decode(attributes["data_format"]["s"]) != b"NHWC":
        raise BuildFailure(f"{name}: only NHWC with padding VALID can be converted")


def _conv2d(graph: _Graph, name: str, inputs: list[str], attributes: Mapping[str, Any]) -> None:
    _require_valid_padding(name, attributes)
    kernel = np.ascontiguousarray(graph.constants[inputs[1]].transpose(3, 2, 0, 1))
    graph.in_nchw(
        name,
        inputs[0],
        "Conv",
        [graph.constant(f"{name}/kernel", kernel)],
        strides=_integers(attributes, "strides")[1:3],
        dilations=_integers(attributes, "dilations")[1:3],
    )


def _max_pool(graph: _Graph, name: str, inputs: list[str], attributes: Mapping[str, Any]) -> None:
    _require_valid_padding(name, attributes)
    sizes = {"kernel_shape": _integers(attributes, "ksize"), "strides": _integers(attributes, "strides")}
    graph.in_nchw(name, inputs[0], "MaxPool", [], **{key: value[1:3] for key, value in sizes.items()})


def _add(graph: _Graph, name: str, inputs: list[str], _: Mapping[str, Any]) -> None:
    """A sum; the bias of a convolution becomes the convolution's own."""
    value, bias = inputs
    origin, order = graph.transposed.get(value, ("", ()))
    last = graph.nodes[-2] if len(graph.nodes) > 1 else None
    if order == TO_NHWC and last is not None and last.op_type == "Conv" and last.output[0] == origin:
        last.input.append(graph.constant(f"{name}/bias", graph.constants[bias].reshape(-1)))
        graph.alias[name] = value
        return
    graph.emit("Add", inputs, name)


def _pad(graph: _Graph, name: str, inputs: list[str], _: Mapping[str, Any]) -> None:
    widths = graph.constant(f"{name}/widths", graph.constants[inputs[1]].T.ravel().astype(np.int64))
    fill = np.float32(graph.constants[inputs[2]]) if len(inputs) > 2 else np.float32(0)
    graph.emit("Pad", [inputs[0], widths, graph.constant(f"{name}/fill", np.asarray(fill))], name)


def _resize_bilinear(graph: _Graph, name: str, inputs: list[str], attributes: Mapping[str, Any]) -> None:
    if attributes["align_corners"].get("b") or not attributes["half_pixel_centers"].get("b"):
        raise BuildFailure(f"{name}: only resizing by half-pixel centres can be converted")
    planes = graph.transpose(inputs[0], TO_NCHW, f"{name}/input")
    size = graph.constant(f"{name}/size", graph.constants[inputs[1]].astype(np.int64))
    graph.emit("Resize", [planes, "", "", size], f"{name}/planes", mode="linear", axes=[2, 3])
    graph.transpose(f"{name}/planes", TO_NHWC, name)


def _transpose(graph: _Graph, name: str, inputs: list[str], _: Mapping[str, Any]) -> None:
    graph.transpose(inputs[0], tuple(int(axis) for axis in graph.constants[inputs[1]]), name)


def _concat(graph: _Graph, name: str, inputs: list[str], _: Mapping[str, Any]) -> None:
    graph.emit("Concat", inputs[:-1], name, axis=int(graph.constants[inputs[-1]]))


def _split(graph: _Graph, name: str, inputs: list[str], _: Mapping[str, Any]) -> None:
    value, sizes, axis = inputs
    lengths = graph.constant(f"{name}/sizes", graph.constants[sizes].astype(np.int64))
    names = [name, *(f"{name}:{number}" for number in range(1, graph.constants[sizes].size))]
    graph.emit("Split", [value, lengths], *names, axis=int(graph.constants[axis]))


def _reshape(graph: _Graph, name: str, inputs: list[str], _: Mapping[str, Any]) -> None:
    shape = graph.constant(f"{name}/shape", graph.constants[inputs[1]].astype(np.int64))
    graph.emit("Reshape", [inputs[0], shape], name)


def _leaky_relu(graph: _Graph, name: str, inputs: list[str], attributes: Mapping[str, Any]) -> None:
    graph.emit("LeakyRelu", inputs, name, alpha=float(attributes["alpha"]["f"]))


def _same(operation: str) -> "Writer":
    return lambda graph, name, inputs, _: graph.emit(operation, inputs, name)


def _sparse_to_dense(indices: Array, shape: Array, values: Array, default: Array) -> Array:
    dense = np.full(shape, default)
    dense[tuple(np.atleast_2d(indices.reshape(-1, len(shape))).T)] = values
    return dense


Writer = Callable[[_Graph, str, list[str], Mapping[str, Any]], None]

OPERATIONS: Mapping[str, Writer] = {
    "Add": _add,
    "AddV2": _add,
    "ConcatV2": _concat,
    "Conv2D": _conv2d,
    "Identity": _same("Identity"),
    "LeakyRelu": _leaky_relu,
    "MaxPool": _max_pool,
    "Pad": _pad,
    "PadV2": _pad,
    "Reshape": _reshape,
    "ResizeBilinear": _resize_bilinear,
    "Sigmoid": _same("Sigmoid"),
    "SplitV": _split,
    "Transpose": _transpose,
}

FOLDED: Mapping[str, Callable[..., Array]] = {"AddV2": np.add, "SparseToDense": _sparse_to_dense}
"""Operations on constants, computed here."""
