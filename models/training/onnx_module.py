"""An ONNX graph as a torch module: its weights are trained and written back into the same graph."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from models.training.errors import UnsupportedNetwork


@dataclass(frozen=True, slots=True)
class GraphNode:
    op_type: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]


class OnnxModule(nn.Module):
    """A graph with one input and one output; float arrays are parameters. Raises UnsupportedNetwork."""

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        self._model = model
        self._nodes = [_parse_node(node) for node in model.graph.node]
        arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        learned = [name for name, array in arrays.items() if array.dtype == np.float32 and array.ndim]
        self._parameter_keys = {name: f"weight{place}" for place, name in enumerate(learned)}
        self.weights = nn.ParameterDict(
            {key: nn.Parameter(torch.tensor(arrays[name])) for name, key in self._parameter_keys.items()}
        )
        self._constants = {name: array for name, array in arrays.items() if name not in self._parameter_keys}
        self._input, self._output = model.graph.input[0].name, model.graph.output[0].name
        self._values_to_release = _values_unused_after(self._nodes, self._output)

    def forward(self, value: Tensor) -> Tensor:
        if value.dim() == 4:  # takes a third less time on CPUs and GPUs
            value = value.contiguous(memory_format=torch.channels_last)
        values: dict[str, Any] = {self._input: value, **self._constants}
        values |= {name: self.weights[key] for name, key in self._parameter_keys.items()}
        for node, released in zip(self._nodes, self._values_to_release, strict=True):
            inputs = [values[name] for name in node.inputs if name]
            values[node.output] = OPERATIONS[node.op_type](inputs, node.attributes, self.training)
            for name in released:
                del values[name]
        result: Tensor = values[self._output]
        return result

    def weight(self, name: str) -> nn.Parameter:
        """The parameter of a name in the graph."""
        return self.weights[self._parameter_keys[name]]

    def to_onnx(self) -> onnx.ModelProto:
        """The graph with the present weights."""
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        for tensor in model.graph.initializer:
            if (key := self._parameter_keys.get(tensor.name)) is not None:
                array = self.weights[key].detach().cpu().float().numpy()
                tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        onnx.checker.check_model(model)
        return model


def _parse_node(node: onnx.NodeProto) -> GraphNode:
    if node.op_type not in OPERATIONS:
        known = ", ".join(sorted(OPERATIONS))
        raise UnsupportedNetwork(
            f"{node.op_type} ({node.name or node.output[0]}) cannot be trained; known operations: {known}"
        )
    attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    if attributes.get("auto_pad", b"NOTSET") != b"NOTSET" or attributes.get("ceil_mode"):
        raise UnsupportedNetwork(
            f"{node.name or node.output[0]}: automatic padding and ceil_mode are not supported"
        )
    return GraphNode(node.op_type, tuple(node.input), node.output[0], attributes)


def _values_unused_after(nodes: Sequence[GraphNode], output: str) -> list[list[str]]:
    """For each node the values that no later node uses, so that they can be freed."""
    last_use = {name: place for place, node in enumerate(nodes) for name in node.inputs if name}
    return [
        [name for name, at in last_use.items() if at == place and name != output]
        for place in range(len(nodes))
    ]


Inputs = Sequence[Any]
Attributes = Mapping[str, Any]


def _conv(inputs: Inputs, attributes: Attributes, _: bool) -> Tensor:
    value, kernel, *bias = inputs
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    even = (top, left) == (bottom, right)
    return functional.conv2d(
        value if even else _pad(value, attributes, 0.0),
        kernel,
        bias[0] if bias else None,
        padding=(top, left) if even else 0,
        stride=tuple(attributes.get("strides", (1, 1))),
        dilation=tuple(attributes.get("dilations", (1, 1))),
        groups=attributes.get("group", 1),
    )


def _max_pool(inputs: Inputs, attributes: Attributes, _: bool) -> Tensor:
    value = _pad(inputs[0], attributes, float("-inf"))
    return functional.max_pool2d(
        value, tuple(attributes["kernel_shape"]), tuple(attributes.get("strides", (1, 1)))
    )


def _gemm(inputs: Inputs, attributes: Attributes, _: bool) -> Tensor:
    value, weight, *bias = inputs
    if attributes.get("transA") or attributes.get("alpha", 1.0) != 1.0 or attributes.get("beta", 1.0) != 1.0:
        raise UnsupportedNetwork("Gemm with transA, alpha or beta is not supported")
    return functional.linear(
        value, weight if attributes.get("transB") else weight.T, bias[0] if bias else None
    )


def _prelu(inputs: Inputs, _: Attributes, __: bool) -> Tensor:
    value, slope = inputs
    return torch.relu(value) - slope * torch.relu(-value)


def _reshape(inputs: Inputs, _: Attributes, __: bool) -> Tensor:
    value, shape = inputs
    sizes = [value.shape[place] if size == 0 else int(size) for place, size in enumerate(shape)]
    return value.reshape(sizes)


def _dropout(inputs: Inputs, _: Attributes, training: bool) -> Tensor:
    return functional.dropout(inputs[0], float(inputs[1]) if len(inputs) > 1 else 0.5, training)


def _pad(value: Tensor, attributes: Attributes, fill: float) -> Tensor:
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    if not any((top, left, bottom, right)):
        return value
    return functional.pad(value, (left, right, top, bottom), value=fill)


OPERATIONS: Mapping[str, Callable[[Inputs, Attributes, bool], Tensor]] = {
    "Conv": _conv,
    "MaxPool": _max_pool,
    "Gemm": _gemm,
    "PRelu": _prelu,
    "Reshape": _reshape,
    "Dropout": _dropout,
    "Relu": lambda inputs, _, __: torch.relu(inputs[0]),
    "Add": lambda inputs, _, __: inputs[0] + inputs[1],
    "Flatten": lambda inputs, attributes, __: inputs[0].flatten(attributes.get("axis", 1)),
    "GlobalAveragePool": lambda inputs, _, __: inputs[0].mean(dim=(2, 3), keepdim=True),
}
