"""Proof that a rewritten graph computes what the published one does, on random input, before it may ship."""

from collections.abc import Mapping
from typing import cast

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import numpy_helper

from models.build.files import BuildFailure
from vigil.faces.detector import AnchorConfig, decode_boxes
from vigil.inference.card import TomlReader

TOLERANCE = 2e-5
ROUNDS = 3

Arrays = dict[str, NDArray[np.float32]]


def check_equivalent(original: bytes, rewritten_graph: bytes, card: TomlReader) -> float:
    """The largest difference found between any two outputs; raises BuildFailure above TOLERANCE."""
    largest = 0.0
    before, after = _session(original), _session(rewritten_graph)
    for seed in range(ROUNDS):
        image = _random_input(before, card, seed)
        expected, actual = _run_session(before, image), _run_session(after, image)
        if "anchors" in card:
            actual["boxes"] = _decode_boxes(actual.pop("offsets"), card, image)
        largest = max(largest, _largest_difference(expected, actual))
    if "anchors" in card:
        largest = max(largest, _anchor_difference(original, card, image))
    if largest > TOLERANCE:
        raise BuildFailure(
            f"The rewritten {card.get_str('model.name')} differs from the published one by {largest:.2g}."
        )
    return largest


def _session(data: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _random_input(session: ort.InferenceSession, card: TomlReader, seed: int) -> NDArray[np.float32]:
    """A picture's worth of noise, as the network would get it: (1, C, H, W) float32."""
    channels = [
        (0 - m, 255 - m, s)
        for m, s in zip(card.get_floats("input.mean"), card.get_floats("input.scale"), strict=True)
    ]
    draw = np.random.default_rng(seed)
    height, width = session.get_inputs()[0].shape[2:]
    planes = [draw.uniform(low / s, high / s, (height, width)) for low, high, s in channels]
    return np.stack(planes)[np.newaxis].astype(np.float32)


def _run_session(session: ort.InferenceSession, image: NDArray[np.float32]) -> Arrays:
    names = [out.name for out in session.get_outputs()]
    return dict(zip(names, session.run(names, {session.get_inputs()[0].name: image}), strict=True))


def _decode_boxes(offsets: NDArray[np.float32], card: TomlReader, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """(1, N, 4) boxes in 0..1, decoded as the runtime does."""
    anchors = AnchorConfig.from_card(card)
    height, width = image.shape[2:]
    return decode_boxes(offsets[0], anchors.grid((width, height)), anchors)[np.newaxis]


def _largest_difference(expected: Mapping[str, NDArray[np.float32]], actual: Mapping[str, NDArray[np.float32]]) -> float:
    if expected.keys() != actual.keys():
        raise BuildFailure(f"The rewritten graph gives {sorted(actual)}, the published one {sorted(expected)}.")
    return max(float(np.abs(expected[name] - actual[name]).max()) for name in expected)


def _anchor_difference(original: bytes, card: TomlReader, image: NDArray[np.float32]) -> float:
    """How far our anchors are from the published graph's constants: centres added, sizes multiplied."""
    height, width = image.shape[2:]
    grid = AnchorConfig.from_card(card).grid((width, height))
    constants = _constants(original, rows=len(grid))
    return max(
        float(min(np.abs(part - known).max() for known in constants)) for part in (grid[:, :2], grid[:, 2:])
    )


def _constants(original: bytes, rows: int) -> list[NDArray[np.float32]]:
    graph = onnx.load_model_from_string(original).graph
    arrays = [numpy_helper.to_array(node.attribute[0].t) for node in graph.node if node.op_type == "Constant"]
    matching = [cast(NDArray[np.float32], array[0]) for array in arrays if array.shape[:2] == (1, rows)]
    if not matching:
        raise BuildFailure(f"The published graph has no {rows} anchors: the card's anchors are not its own.")
    return matching
