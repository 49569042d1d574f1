"""The check that a rewritten graph computes what the published one does, on random input."""

from collections.abc import Mapping
from typing import cast

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import numpy_helper

from models.build.files import BuildFailure
from vigil.faces.detector import DetectorCard
from vigil.inference.detection import AnchorConfig, decode_offsets
from vigil.toml_file import TomlFile

TOLERANCE = 2e-5
ROUNDS = 3

Arrays = dict[str, NDArray[np.float32]]


def check_equivalent(original: bytes, rewritten_graph: bytes, card: TomlFile) -> float:
    """The largest difference of any two outputs. Raises BuildFailure above TOLERANCE."""
    largest = 0.0
    before, after = _session(original), _session(rewritten_graph)
    anchors = card.convert(DetectorCard).anchors if "anchors" in card.values else None
    for seed in range(ROUNDS):
        image = _random_input(before, card.values["input"], seed)
        expected, actual = _run_session(before, image), _run_session(after, image)
        if anchors:
            actual["boxes"] = _decode_boxes(actual.pop("offsets"), anchors, image)
        largest = max(largest, _largest_difference(expected, actual))
    if anchors:
        largest = max(largest, _anchor_difference(original, anchors, image))
    if largest > TOLERANCE:
        raise BuildFailure(
            f"{card.file}: the rewritten graph differs from the published one by {largest:.2g}."
        )
    return largest


def _session(data: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _random_input(
    session: ort.InferenceSession, preprocessing: Mapping[str, list[float]], seed: int
) -> NDArray[np.float32]:
    """(1, C, H, W) float32: random pixels of 0 to 255, normalised as the card says."""
    draw = np.random.default_rng(seed)
    height, width = session.get_inputs()[0].shape[2:]
    channels = zip(preprocessing["mean"], preprocessing["scale"], strict=True)
    planes = [draw.uniform((0 - m) / s, (255 - m) / s, (height, width)) for m, s in channels]
    return np.stack(planes)[np.newaxis].astype(np.float32)


def _run_session(session: ort.InferenceSession, image: NDArray[np.float32]) -> Arrays:
    names = [out.name for out in session.get_outputs()]
    return dict(zip(names, session.run(names, {session.get_inputs()[0].name: image}), strict=True))


def _decode_boxes(
    offsets: NDArray[np.float32], anchors: AnchorConfig, image: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(1, N, 4) float32 boxes in 0..1, decoded as the runtime does."""
    height, width = image.shape[2:]
    return decode_offsets(offsets[0], anchors.grid((width, height)), anchors)[np.newaxis]


def _largest_difference(expected: Arrays, actual: Arrays) -> float:
    if expected.keys() != actual.keys():
        raise BuildFailure(
            f"The rewritten graph has outputs {sorted(actual)}, the published one {sorted(expected)}."
        )
    return max(float(np.abs(expected[name] - actual[name]).max()) for name in expected)


def _anchor_difference(original: bytes, anchors: AnchorConfig, image: NDArray[np.float32]) -> float:
    """Difference of our anchors to the published graph's constants: centres added, sizes multiplied."""
    height, width = image.shape[2:]
    grid = anchors.grid((width, height))
    constants = _constants(original, rows=len(grid))
    return max(
        float(min(np.abs(part - known).max() for known in constants)) for part in (grid[:, :2], grid[:, 2:])
    )


def _constants(original: bytes, rows: int) -> list[NDArray[np.float32]]:
    """The graph's constants of shape (1, rows, n) as (rows, n) arrays."""
    graph = onnx.load_model_from_string(original).graph
    arrays = [numpy_helper.to_array(node.attribute[0].t) for node in graph.node if node.op_type == "Constant"]
    matching = [cast(NDArray[np.float32], array[0]) for array in arrays if array.shape[:2] == (1, rows)]
    if not matching:
        raise BuildFailure(f"The published graph has no {rows} anchors: the card's anchors are not its own.")
    return matching
