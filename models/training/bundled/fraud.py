"""transaction-fraud: extremely randomised trees (Geurts et al. 2006) and a logistic regression."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from models.evaluation.bundled.datasets import transactions
from models.evaluation.metrics import best_threshold
from models.training.bundled.forest import LinearPart, forest_graph

TREES, LEAST_LEAF, TRIED_FEATURES, LINEAR_SHARE, SEED = 100, 2, 12, 0.002, 0
SELECTION_SHARE = 0.25
"""The last part of the training time, on which the threshold is chosen by a model of the time before."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainedTable:
    """A graph, and the threshold with the best F1 on the selection part."""

    graph: onnx.ModelProto
    threshold: float


def train_fraud(folder: Path) -> TrainedTable:
    """Train on the time before the held-out quarter."""
    _, split = transactions(folder)
    features, labels = split.items[~split.held_out], split.labels[~split.held_out]
    count = round(len(labels) * (1 - SELECTION_SHARE))
    scores = _Fitted.on(features[:count], labels[:count]).scores(features[count:])
    threshold = best_threshold(labels[count:] == 1, scores)
    return TrainedTable(_Fitted.on(features, labels).graph(), threshold)


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    forest: ExtraTreesClassifier
    linear: LinearPart

    @classmethod
    def on(cls, features: NDArray[np.float32], labels: NDArray[np.int64]) -> "_Fitted":
        forest = ExtraTreesClassifier(
            TREES, min_samples_leaf=LEAST_LEAF, max_features=TRIED_FEATURES, random_state=SEED
        )
        forest.fit(features, labels)
        scaler = StandardScaler().fit(features)
        regression = LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000)
        regression.fit(scaler.transform(features), labels)
        weight = regression.coef_[0] / scaler.scale_
        bias = float(regression.intercept_[0] - weight @ scaler.mean_)
        return cls(forest, LinearPart(weight.astype(np.float32), bias, LINEAR_SHARE))

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N,) float64, 0 to 1."""
        linear = 1 / (1 + np.exp(-np.clip(features @ self.linear.weight + self.linear.bias, -80, 80)))
        forest = self.forest.predict_proba(features)[:, 1]
        return np.asarray((1 - LINEAR_SHARE) * forest + LINEAR_SHARE * linear, np.float64)

    def graph(self) -> onnx.ModelProto:
        return forest_graph([tree.tree_ for tree in self.forest.estimators_], self.linear)
