"""An ONNX graph as a torch module: its weights are learned in place, and written back into the same graph."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from models.training.errors import BadGraph


@dataclass(frozen=True, slots=True)
class Node:
    """One operation."""

    kind: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]


class Graph(nn.Module):
    """One input, one output. Float weights are parameters; the rest are constants. Raises BadGraph."""

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        self._model = model
        self._nodes = [_node(node) for node in model.graph.node]
        arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        learned = [name for name, array in arrays.items() if array.dtype == np.float32 and array.ndim]
        self._keys = {name: f"weight{place}" for place, name in enumerate(learned)}
        self.weights = nn.ParameterDict(
            {key: nn.Parameter(torch.tensor(arrays[name])) for name, key in self._keys.items()}
        )
        self._fixed = {name: array for name, array in arrays.items() if name not in self._keys}
        self._input, self._output = model.graph.input[0].name, model.graph.output[0].name
        self._spent = _spent(self._nodes, self._output)

    def forward(self, value: Tensor) -> Tensor:
        if value.dim() == 4:  # channels lie together: a third less time, on processors as on GPUs
            value = value.contiguous(memory_format=torch.channels_last)
        values: dict[str, Any] = {self._input: value, **self._fixed}
        values |= {name: self.weights[key] for name, key in self._keys.items()}
        for node, spent in zip(self._nodes, self._spent, strict=True):
            inputs = [values[name] for name in node.inputs if name]
            values[node.output] = OPERATIONS[node.kind](inputs, node.attributes, self.training)
            for name in spent:
                del values[name]
        result: Tensor = values[self._output]
        return result

    def weight(self, name: str) -> nn.Parameter:
        """By its name in the graph."""
        return self.weights[self._keys[name]]

    def written(self) -> onnx.ModelProto:
        """The graph with the weights as they are now."""
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        for tensor in model.graph.initializer:
            if (key := self._keys.get(tensor.name)) is not None:
                array = self.weights[key].detach().cpu().float().numpy()
                tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        onnx.checker.check_model(model)
        return model


def _node(node: onnx.NodeProto) -> Node:
    if node.op_type not in OPERATIONS:
        known = ", ".join(sorted(OPERATIONS))
        raise BadGraph(
            f"{node.op_type} ({node.name or node.output[0]}) cannot be learned; there are: {known}"
        )
    attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    if attributes.get("auto_pad", b"NOTSET") != b"NOTSET" or attributes.get("ceil_mode"):
        raise BadGraph(f"{node.name or node.output[0]}: automatic padding and ceil_mode are not known here")
    return Node(node.op_type, tuple(node.input), node.output[0], attributes)


def _spent(nodes: Sequence[Node], output: str) -> list[list[str]]:
    """For each node what nobody needs after it: else every value between would be held to the end."""
    last = {name: place for place, node in enumerate(nodes) for name in node.inputs if name}
    return [
        [name for name, at in last.items() if at == place and name != output] for place in range(len(nodes))
    ]


Inputs = Sequence[Any]
Attributes = Mapping[str, Any]


def _conv(inputs: Inputs, said: Attributes, _: bool) -> Tensor:
    value, kernel, *bias = inputs
    top, left, bottom, right = said.get("pads", (0, 0, 0, 0))
    even = (top, left) == (bottom, right)
    return functional.conv2d(
        value if even else _padded(value, said, 0.0),
        kernel,
        bias[0] if bias else None,
        padding=(top, left) if even else 0,
        stride=tuple(said.get("strides", (1, 1))),
        dilation=tuple(said.get("dilations", (1, 1))),
        groups=said.get("group", 1),
    )


def _max_pool(inputs: Inputs, said: Attributes, _: bool) -> Tensor:
    padded = _padded(inputs[0], said, float("-inf"))
    return functional.max_pool2d(padded, tuple(said["kernel_shape"]), tuple(said.get("strides", (1, 1))))


def _gemm(inputs: Inputs, said: Attributes, _: bool) -> Tensor:
    value, weight, *bias = inputs
    if said.get("transA") or said.get("alpha", 1.0) != 1.0 or said.get("beta", 1.0) != 1.0:
        raise BadGraph("Gemm with transA, alpha or beta is not known here")
    return functional.linear(value, weight if said.get("transB") else weight.T, bias[0] if bias else None)


def _prelu(inputs: Inputs, _: Attributes, __: bool) -> Tensor:
    value, slope = inputs
    return torch.relu(value) - slope * torch.relu(-value)


def _reshape(inputs: Inputs, _: Attributes, __: bool) -> Tensor:
    value, shape = inputs
    sizes = [value.shape[place] if size == 0 else int(size) for place, size in enumerate(shape)]
    return value.reshape(sizes)


def _dropout(inputs: Inputs, _: Attributes, training: bool) -> Tensor:
    return functional.dropout(inputs[0], float(inputs[1]) if len(inputs) > 1 else 0.5, training)


def _padded(value: Tensor, said: Attributes, ground: float) -> Tensor:
    top, left, bottom, right = said.get("pads", (0, 0, 0, 0))
    if not any((top, left, bottom, right)):
        return value
    return functional.pad(value, (left, right, top, bottom), value=ground)


OPERATIONS: Mapping[str, Callable[[Inputs, Attributes, bool], Tensor]] = {
    "Conv": _conv,
    "MaxPool": _max_pool,
    "Gemm": _gemm,
    "PRelu": _prelu,
    "Reshape": _reshape,
    "Dropout": _dropout,
    "Relu": lambda inputs, _, __: torch.relu(inputs[0]),
    "Add": lambda inputs, _, __: inputs[0] + inputs[1],
    "Flatten": lambda inputs, said, __: inputs[0].flatten(said.get("axis", 1)),
    "GlobalAveragePool": lambda inputs, _, __: inputs[0].mean(dim=(2, 3), keepdim=True),
}
