"""EfficientNet-lite0 (Tan & Le 2019; the lite variants without squeeze-and-excitation) from torch weights."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.build.conversions.torch_file import Weights, read_torch_file

OPSET, IR_VERSION = 17, 8
SIZE_PX = 224
EPSILON = 1e-3
"""Of the batch normalisations, as in TensorFlow's network."""

BLOCK_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)


def efficientnet_lite0(published: Sequence[bytes]) -> onnx.ModelProto:
    """The ONNX graph: "image" (batch, 3, 224, 224) to "logits" (batch, 1000)."""
    network = _Network(read_torch_file(published[0]))
    value = network.convolve("image", "_conv_stem", "_bn0", stride=2, activate=True)
    for number, stride in enumerate(BLOCK_STRIDES):
        value = network.add_block(value, f"_blocks.{number}", stride)
    value = network.convolve(value, "_conv_head", "_bn1", activate=True)
    value = network.emit("Flatten", [network.emit("GlobalAveragePool", [value])])
    names = [network.store(f"_fc.{part}", network.weights[f"_fc.{part}"]) for part in ("weight", "bias")]
    network.nodes.append(helper.make_node("Gemm", [value, *names], ["logits"], transB=1))
    graph = helper.make_graph(
        network.nodes,
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIZE_PX, SIZE_PX])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1000])],
        network.initializers,
    )
    network_model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    onnx.checker.check_model(network_model, full_check=True)
    return network_model


@dataclass(slots=True)
class _Network:
    """The graph while it is written; `size_px` is the side of the last value."""

    weights: Weights
    size_px: int = SIZE_PX
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)

    def add_block(self, value: str, block: str, stride: int) -> str:
        """An inverted residual: expand, filter each channel, project, and add the input where it fits."""
        inner = value
        if f"{block}._expand_conv.weight" in self.weights:
            inner = self.convolve(inner, f"{block}._expand_conv", f"{block}._bn0", activate=True)
        inner = self.convolve(
            inner, f"{block}._depthwise_conv", f"{block}._bn1", stride=stride, activate=True, depthwise=True
        )
        inner = self.convolve(inner, f"{block}._project_conv", f"{block}._bn2")
        if stride == 1 and self._channels(f"{block}._project_conv") == self._input_channels(block):
            return self.emit("Add", [inner, value])
        return inner

    def convolve(
        self,
        value: str,
        name: str,
        normalisation: str,
        *,
        stride: int = 1,
        activate: bool = False,
        depthwise: bool = False,
    ) -> str:
        """A convolution with TensorFlow's SAME padding and its normalisation folded in; ReLU6 if wanted."""
        kernel, bias = self._folded(name, normalisation)
        side = kernel.shape[-1]
        output_px = -(-self.size_px // stride)
        excess = max((output_px - 1) * stride + side - self.size_px, 0)
        first, last = excess // 2, excess - excess // 2
        self.size_px = output_px
        result = self.emit(
            "Conv",
            [value, self.store(f"{name}.weight", kernel), self.store(f"{name}.bias", bias)],
            strides=[stride, stride],
            pads=[first, first, last, last],
            group=kernel.shape[0] if depthwise else 1,
        )
        if not activate:
            return result
        limits = [self.store(f"{result}.{limit}", np.asarray(limit, np.float32)) for limit in (0, 6)]
        return self.emit("Clip", [result, *limits])

    def emit(self, operation: str, inputs: list[str], **attributes: Any) -> str:
        output = f"{operation.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [output], **attributes))
        return output

    def store(self, name: str, array: NDArray[Any]) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(array, np.float32, order="C"), name))
        return name

    def _folded(self, name: str, normalisation: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The kernel and bias of a convolution followed by batch normalisation."""
        gain, offset, mean, variance = (
            self.weights[f"{normalisation}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gain / np.sqrt(variance + EPSILON)
        return self.weights[f"{name}.weight"] * factor[:, None, None, None], offset - mean * factor

    def _channels(self, name: str) -> int:
        return int(self.weights[f"{name}.weight"].shape[0])

    def _input_channels(self, block: str) -> int:
        expand = f"{block}._expand_conv.weight"
        first = expand if expand in self.weights else f"{block}._depthwise_conv.weight"
        return int(self.weights[first].shape[1 if first == expand else 0])
