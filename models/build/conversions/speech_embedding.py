"""Keywords from one clip of sound: a mel spectrogram, an embedding of overlapping windows, and a head."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

WINDOW_FRAMES, HOP_FRAMES = 76, 8
"""0.775 s of 10 ms frames, and 80 ms."""

OPSET, IR_VERSION = 17, 8


def speech_keywords(published: Sequence[bytes]) -> onnx.ModelProto:
    """The graph: "samples" (1, N), as 16-bit values, to "logits" (1, L).

    published  the spectrogram, the embedding, and head.npz: `weight` (L, 2 D) and `bias` (L), float32, for
               the mean and the maximum of the windows' vectors; `windows`, their number
    """
    spectrogram, embedding = (onnx.load_model_from_string(data) for data in published[:2])
    head = np.load(io.BytesIO(published[2]), allow_pickle=False)
    model = _join(spectrogram, _windows(int(head["windows"])), "mel")
    model = _join(model, embedding, "embedding")
    return _join(model, _head(head["weight"], head["bias"]), "head")


def _join(first: onnx.ModelProto, second: onnx.ModelProto, prefix: str) -> onnx.ModelProto:
    """The second graph on the only output of the first, at the newer of their operator sets."""
    prefixed = compose.add_prefix(second, f"{prefix}.", rename_inputs=True, rename_outputs=True)
    versions = [
        max(item.version for item in model.opset_import if not item.domain) for model in (first, second)
    ]
    both = [
        onnx.version_converter.convert_version(model, max(OPSET, *versions)) for model in (first, prefixed)
    ]
    for model in both:
        model.ir_version = IR_VERSION
    links = [(both[0].graph.output[0].name, both[1].graph.input[0].name)]
    joined = compose.merge_models(both[0], both[1], io_map=links)
    onnx.checker.check_model(joined)
    return joined


def _windows(count: int) -> onnx.ModelProto:
    """(time, 1, 1, 32) mels to `count` windows of scaled frames, (count, 76, 32, 1)."""
    starts = np.arange(count)[:, np.newaxis] * HOP_FRAMES
    frames = (starts + np.arange(WINDOW_FRAMES)).astype(np.int64)
    constants = {
        "frames": frames,
        "flat": np.array([-1, 32, 1], np.int64),
        "ten": np.float32(10),
        "two": np.float32(2),
    }
    nodes = [
        helper.make_node("Reshape", ["mels", "flat"], ["rows"]),
        helper.make_node("Gather", ["rows", "frames"], ["windows"], axis=0),
        helper.make_node("Div", ["windows", "ten"], ["tenth"]),
        helper.make_node("Add", ["tenth", "two"], ["scaled"]),
    ]
    return _model(nodes, constants, ("mels", ["time", 1, "n", 32]), ("scaled", [count, WINDOW_FRAMES, 32, 1]))


def _head(weight: Any, bias: Any) -> onnx.ModelProto:
    """(windows, 1, 1, D) vectors to the logits of the mean and the maximum over the windows."""
    constants = {
        "weight": weight.astype(np.float32),
        "bias": bias.astype(np.float32),
        "flat": np.array([0, -1], np.int64),
    }
    nodes = [
        helper.make_node("Reshape", ["vectors", "flat"], ["rows"]),
        helper.make_node("ReduceMean", ["rows"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("ReduceMax", ["rows"], ["maximum"], axes=[0], keepdims=1),
        helper.make_node("Concat", ["mean", "maximum"], ["both"], axis=1),
        helper.make_node("Gemm", ["both", "weight", "bias"], ["logits"], transB=1),
    ]
    return _model(
        nodes, constants, ("vectors", ["n", 1, 1, weight.shape[1] // 2]), ("logits", [1, len(bias)])
    )


def _model(
    nodes: list[onnx.NodeProto],
    constants: dict[str, Any],
    source: tuple[str, list[int | str]],
    result: tuple[str, list[int | str]],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info(source[0], TensorProto.FLOAT, source[1])],
        [helper.make_tensor_value_info(result[0], TensorProto.FLOAT, result[1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
