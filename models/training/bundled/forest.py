"""A table classifier as one graph: a forest, and a logistic regression where it has no opinion."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, TREES_OPSET, IR_VERSION = 17, 3, 8

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class LinearPart:
    """sigmoid(features @ weight + bias), which counts `share` of the score."""

    weight: Floats
    bias: float
    share: float


def forest_graph(trees: list[Any], linear: LinearPart) -> onnx.ModelProto:
    """The graph: "features" (N, F) to "score" (N, 1), 0 to 1.

    trees  scikit-learn's trees of two classes; the score of a forest is the mean of their second shares
    """
    features = len(linear.weight)
    constants = {
        "weight": linear.weight.reshape(-1, 1),
        "bias": np.array([linear.bias], np.float32),
        "forest.share": np.array([1 - linear.share], np.float32),
        "linear.share": np.array([linear.share], np.float32),
    }
    nodes = [
        _ensemble(trees),
        helper.make_node("Gemm", ["features", "weight", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["linear"]),
        helper.make_node("Mul", ["forest", "forest.share"], ["forest.part"]),
        helper.make_node("Mul", ["linear", "linear.share"], ["linear.part"]),
        helper.make_node("Add", ["forest.part", "linear.part"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        "forest",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", features])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["rows", 1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", TREES_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def _ensemble(trees: list[Any]) -> onnx.NodeProto:
    """The trees as one node; each leaf adds its share of the second class over the number of trees."""
    nodes: dict[str, list[Any]] = {
        key: []
        for key in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
    }
    leaves: dict[str, list[Any]] = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}
    for number, tree in enumerate(trees):
        is_leaf = tree.children_left < 0
        count = tree.node_count
        nodes["treeids"] += [number] * count
        nodes["nodeids"] += range(count)
        nodes["featureids"] += np.where(is_leaf, 0, tree.feature).tolist()
        nodes["values"] += np.where(is_leaf, 0, _rounded_down(tree.threshold)).tolist()
        nodes["modes"] += ["LEAF" if leaf else "BRANCH_LEQ" for leaf in is_leaf]
        nodes["truenodeids"] += np.where(is_leaf, 0, tree.children_left).tolist()
        nodes["falsenodeids"] += np.where(is_leaf, 0, tree.children_right).tolist()
        shares = tree.value[:, 0, 1] / tree.value[:, 0].sum(axis=1) / len(trees)
        places = [place for place in np.flatnonzero(is_leaf).tolist() if shares[place]]
        places = places or [int(np.flatnonzero(is_leaf)[0])]
        leaves["treeids"] += [number] * len(places)
        leaves["nodeids"] += places
        leaves["ids"] += [0] * len(places)
        leaves["weights"] += shares[places].tolist()
    attributes: dict[str, Any] = {f"nodes_{key}": value for key, value in nodes.items()}
    attributes |= {f"target_{key}": value for key, value in leaves.items()}
    attributes |= {"n_targets": 1, "aggregate_function": "SUM", "post_transform": "NONE"}
    node = helper.make_node("TreeEnsembleRegressor", ["features"], ["forest"], domain="ai.onnx.ml")
    node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
    return node


def _rounded_down(threshold: NDArray[np.float64]) -> Floats:
    """The largest float32 that is not above each threshold, so that float32 features compare as before."""
    rounded = threshold.astype(np.float32)
    lower = np.nextafter(rounded, np.float32(-np.inf))
    return np.where(rounded > threshold, lower, rounded)
