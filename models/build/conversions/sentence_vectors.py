"""A transformer with its pooling, the scaled mean of the tokens' vectors, and a head in the graph."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MASK = "attention_mask"


def sentence_vectors(published: Sequence[bytes]) -> onnx.ModelProto:
    """The graph: tokens to "vector" (batch, D), or with a head to "logits" (batch, L).

    published  the transformer, whose output is (batch, tokens, D); and a head.npz if there is one: `weight`
               (L, D) and `bias` (L), float32
    """
    model = onnx.load_model_from_string(published[0])
    graph = model.graph
    tokens = graph.output[0]
    sizes = [size.dim_param or size.dim_value for size in tokens.type.tensor_type.shape.dim]
    _pool(graph, tokens.name)
    result, length = "vector", sizes[2]
    if len(published) > 1:
        head = np.load(io.BytesIO(published[1]), allow_pickle=False)
        for name in ("weight", "bias"):
            graph.initializer.append(numpy_helper.from_array(head[name].astype(np.float32), f"head.{name}"))
        graph.node.append(
            helper.make_node("Gemm", ["vector", "head.weight", "head.bias"], ["logits"], transB=1)
        )
        result, length = "logits", len(head["bias"])
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(result, TensorProto.FLOAT, [sizes[0], length]))
    onnx.checker.check_model(model)
    return model


def _pool(graph: onnx.GraphProto, tokens: str) -> None:
    """Add the mean over the tokens of the mask, scaled to length 1, as "vector"."""
    for name, axis in (("pool.last", -1), ("pool.tokens", 1)):
        graph.initializer.append(numpy_helper.from_array(np.array([axis], np.int64), name))

    def emit(operation: str, inputs: list[str], output: str, **attributes: Any) -> None:
        graph.node.append(helper.make_node(operation, inputs, [output], **attributes))

    emit("Cast", [MASK], "pool.mask", to=TensorProto.FLOAT)
    emit("Unsqueeze", ["pool.mask", "pool.last"], "pool.weights")
    emit("Mul", [tokens, "pool.weights"], "pool.weighted")
    emit("ReduceSum", ["pool.weighted", "pool.tokens"], "pool.sum", keepdims=0)
    emit("LpNormalization", ["pool.sum"], "vector", axis=1, p=2)
