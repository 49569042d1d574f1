"""Runs an exported network in the serving runtime and compares it with the trained one."""

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from models.training.errors import ExportMismatch

MAX_DIFFERENCE = 1e-4
BATCH_SIZE = 64


def run_onnx(model: onnx.ModelProto, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The output of a network with one input and one output, for (N, …) inputs."""
    session = ort.InferenceSession(
        model.SerializeToString(), _session_options(), providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    parts = [
        session.run(None, {name: inputs[n : n + BATCH_SIZE]})[0] for n in range(0, len(inputs), BATCH_SIZE)
    ]
    return np.concatenate(parts).astype(np.float32)


def check_export(model: onnx.ModelProto, inputs: NDArray[np.float32], trained: NDArray[np.float32]) -> float:
    """The largest difference, relative to the largest output if that is above 1.

    Raises ExportMismatch above MAX_DIFFERENCE.
    """
    exported = run_onnx(model, inputs)
    difference = float(np.abs(exported - trained).max() / max(1.0, float(np.abs(trained).max())))
    if not difference <= MAX_DIFFERENCE:
        raise ExportMismatch(f"the exported network differs from the trained one by {difference:.2g}")
    return difference


def _session_options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return options
