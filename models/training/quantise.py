"""The same network with 8-bit weights and activations, for the caller to keep if it is still good enough."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import version_converter
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from models.training.network_spec import IR_VERSION, OPSET


class CalibrationInputs(CalibrationDataReader):
    """Inputs from which the ranges of activations are learned."""

    def __init__(self, name: str, inputs: NDArray[np.float32]) -> None:
        self._feeds = iter([{name: inputs[n : n + 1]} for n in range(len(inputs))])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._feeds, None)


def quantise_model(model: onnx.ModelProto, inputs: NDArray[np.float32]) -> onnx.ModelProto:
    """8-bit per channel.

    inputs  (N, …) float32: some of the training split, as the network gets them
    """
    with tempfile.TemporaryDirectory() as folder:
        plain, before, after = (Path(folder, f"{name}.onnx") for name in ("plain", "before", "after"))
        onnx.save(_with_current_opset(model), plain)
        quant_pre_process(plain, before, skip_symbolic_shape=True)
        quantize_static(
            before,
            after,
            CalibrationInputs(model.graph.input[0].name, inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,  # 7 bits of 8: older processors saturate otherwise, and answer differently
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(after)


def _with_current_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same in operations that know of a scale a channel; older ones know of one scale for all."""
    if model.opset_import[0].version >= OPSET:
        return model
    newer = version_converter.convert_version(model, OPSET)
    newer.ir_version = IR_VERSION
    return newer
