"""Rewritten graphs compute the same function, and the equivalence check detects differences."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.build.equivalence import check_equivalent
from models.build.files import BuildFailure
from models.build.graph_rewrites import apply_rewrites
from vigil.toml_file import TomlFile

CARD = TomlFile(
    "card.toml", {"model": {"name": "small"}, "input": {"mean": [127.5] * 4, "scale": [127.5] * 4}}
)


def _small(slopes: list[float]) -> bytes:
    """A PReLU over four channels and a reshape to one row, as the published embedder ends."""
    weights = [
        numpy_helper.from_array(np.array(slopes, np.float32).reshape(4, 1, 1), "slopes"),
        numpy_helper.from_array(np.array([1, -1], np.int64), "shape"),
    ]
    nodes = [
        helper.make_node("PRelu", ["image", "slopes"], ["bent"]),
        helper.make_node("Reshape", ["bent", "shape"], ["out"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 4, 2, 2])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 16])
    graph = helper.make_graph(nodes, "small", [image], [out], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=6)
    return bytes(model.SerializeToString())


def test_a_split_prelu_computes_the_same_function():
    original = _small([0.25, -0.5, 1.0, 0.0])

    ours = apply_rewrites(original, ["split-prelu"])

    assert "PRelu" not in {node.op_type for node in onnx.load_from_string(ours).graph.node}
    assert check_equivalent(original, ours, CARD) < 1e-6


def test_tiny_weights_become_zero_without_changing_outputs():
    original = _small([1e-30, 0.5, -1e-20, 0.1])

    ours = apply_rewrites(original, ["flush-tiny-weights"])

    slopes = numpy_helper.to_array(onnx.load_from_string(ours).graph.initializer[0]).ravel()
    np.testing.assert_allclose(slopes, [0, 0.5, 0, 0.1])
    assert check_equivalent(original, ours, CARD) < 1e-18


def test_a_dynamic_batch_has_any_size():
    ours = apply_rewrites(_small([0.1, 0.2, 0.3, 0.4]), ["dynamic-batch"])

    graph = onnx.load_from_string(ours).graph
    shape = next(tensor for tensor in graph.initializer if tensor.name == "shape")
    assert numpy_helper.to_array(shape).tolist() == [-1, 16]
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_the_equivalence_check_fails_if_a_weight_differs():
    with pytest.raises(BuildFailure, match="rewritten graph differs"):
        check_equivalent(_small([0.1, 0.2, 0.3, 0.4]), _small([0.1, 0.2, 0.3, 0.41]), CARD)


def test_the_error_for_an_unknown_rewrite_names_the_known_ones():
    with pytest.raises(BuildFailure, match="split-prelu"):
        apply_rewrites(_small([0.1] * 4), ["make-it-faster"])
