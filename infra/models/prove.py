"""Proof that a rewritten graph computes what the published one does, on random input, before it may ship."""

from collections.abc import Mapping
from typing import cast

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import numpy_helper

from infra.models.failure import BuildFailure
from vigil.faces.anchors import Anchors, decode
from vigil.predict.table import Table

TOLERANCE = 2e-5
ROUNDS = 3

Arrays = dict[str, NDArray[np.float32]]


def prove_equal(original: bytes, ours: bytes, card: Table) -> float:
    """The largest difference found between any two outputs; raises BuildFailure above TOLERANCE."""
    worst = 0.0
    before, after = _session(original), _session(ours)
    for seed in range(ROUNDS):
        image = _random_input(before, card, seed)
        theirs, mine = _run(before, image), _run(after, image)
        if "anchors" in card:
            mine["boxes"] = _boxes(mine.pop("offsets"), card, image)
        worst = max(worst, _distance(theirs, mine))
    if "anchors" in card:
        worst = max(worst, _anchor_distance(original, card, image))
    if worst > TOLERANCE:
        raise BuildFailure(
            f"The rewritten {card.text('model.name')} differs from the published one by {worst:.2g}."
        )
    return worst


def _session(data: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _random_input(session: ort.InferenceSession, card: Table, seed: int) -> NDArray[np.float32]:
    """A picture's worth of noise, as the network would get it: (1, C, H, W) float32."""
    channels = [
        (0 - m, 255 - m, s)
        for m, s in zip(card.numbers("input.mean"), card.numbers("input.scale"), strict=True)
    ]
    draw = np.random.default_rng(seed)
    height, width = session.get_inputs()[0].shape[2:]
    planes = [draw.uniform(low / s, high / s, (height, width)) for low, high, s in channels]
    return np.stack(planes)[np.newaxis].astype(np.float32)


def _run(session: ort.InferenceSession, image: NDArray[np.float32]) -> Arrays:
    names = [out.name for out in session.get_outputs()]
    return dict(zip(names, session.run(names, {session.get_inputs()[0].name: image}), strict=True))


def _boxes(offsets: NDArray[np.float32], card: Table, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """(1, N, 4) boxes in 0..1, decoded as the runtime does."""
    anchors = Anchors.read(card)
    height, width = image.shape[2:]
    return decode(offsets[0], anchors.grid((width, height)), anchors)[np.newaxis]


def _distance(theirs: Mapping[str, NDArray[np.float32]], mine: Mapping[str, NDArray[np.float32]]) -> float:
    if theirs.keys() != mine.keys():
        raise BuildFailure(f"The rewritten graph gives {sorted(mine)}, the published one {sorted(theirs)}.")
    return max(float(np.abs(theirs[name] - mine[name]).max()) for name in theirs)


def _anchor_distance(original: bytes, card: Table, image: NDArray[np.float32]) -> float:
    """How far our anchors are from the published graph's constants: centres added, sizes multiplied."""
    height, width = image.shape[2:]
    grid = Anchors.read(card).grid((width, height))
    constants = _constants(original, rows=len(grid))
    return max(
        float(min(np.abs(part - known).max() for known in constants)) for part in (grid[:, :2], grid[:, 2:])
    )


def _constants(original: bytes, rows: int) -> list[NDArray[np.float32]]:
    graph = onnx.load_model_from_string(original).graph
    arrays = [numpy_helper.to_array(node.attribute[0].t) for node in graph.node if node.op_type == "Constant"]
    found = [cast(NDArray[np.float32], array[0]) for array in arrays if array.shape[:2] == (1, rows)]
    if not found:
        raise BuildFailure(f"The published graph has no {rows} anchors: the card's anchors are not its own.")
    return found
