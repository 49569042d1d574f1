"""Quantises a network to 8-bit weights and activations."""

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
    """Inputs that give the ranges of activations."""

    def __init__(self, name: str, inputs: NDArray[np.float32]) -> None:
        self._feeds = iter([{name: inputs[n : n + 1]} for n in range(len(inputs))])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._feeds, None)


def quantise_model(model: onnx.ModelProto, inputs: NDArray[np.float32]) -> onnx.ModelProto:
    """8 bits with a scale for each channel.

    inputs  (N, …) float32: some inputs of the training split
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
            reduce_range=True,  # 7 of 8 bits: older processors saturate otherwise and give different outputs
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(after)


def _with_current_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in the opset that supports a scale for each channel."""
    if model.opset_import[0].version >= OPSET:
        return model
    newer = version_converter.convert_version(model, OPSET)
    newer.ir_version = IR_VERSION
    return newer
