"""The cards of the bundled models, the conversions and the graphs that are made here."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from sklearn.ensemble import ExtraTreesClassifier

from models.build.conversions import convert
from models.build.files import CARDS
from models.build.selection import ON_REQUEST
from models.evaluation.bundled.__main__ import DATA_NAMES, FIRST_FIGURES, write_quality
from models.evaluation.bundled.file_examples import file_examples
from models.evaluation.bundled.measures import MEASURES
from models.training.bundled.forest import LinearPart, forest_graph
from vigil.inference.classifier import ClassifierCard
from vigil.inference.network.card import BytesInputSpec, NetworkModelCard
from vigil.inference.network.tensor_input import BytesPreparer
from vigil.toml_file import load_toml

BUNDLED = sorted(ON_REQUEST | {"file-type"})


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_card_says_its_licence_its_quality_and_what_it_is_not_for(name: str):
    file = load_toml(CARDS / name / "card.toml")
    kind = ClassifierCard if file.values["pipeline"]["kind"] == "classifier" else NetworkModelCard
    card = file.convert(kind)

    assert card.licence is not None
    assert card.licence.spdx
    assert card.licence.remark.startswith("Not ")
    assert {"data", "date"} < set(card.quality)
    assert all(card.quality[key] >= round(least, 4) for key, least in FIRST_FIGURES.get(name, {}).items())


def test_every_bundled_model_is_measured():
    assert set(BUNDLED) <= set(MEASURES)
    assert set(MEASURES) == set(DATA_NAMES)


def test_measured_figures_replace_those_of_the_card(tmp_path: Path):
    card = tmp_path / "card.toml"
    card.write_text("[model]\nname = 'a'\n\n[quality]\ndata = 'old'\nauc = 0.1\n")

    write_quality(card, {"auc": 0.9}, "new")

    values = load_toml(card).values
    assert (values["model"], values["quality"]["data"], values["quality"]["auc"]) == (
        {"name": "a"},
        "new",
        0.9,
    )


def test_the_examples_of_file_types_are_of_many_types():
    labels = {label for label, _ in file_examples()}

    assert len(labels) >= 23


def test_a_forest_as_a_graph_gives_the_scores_of_its_trees():
    draw = np.random.default_rng(5)
    features = draw.normal(size=(300, 4)).astype(np.float32)
    labels = (features[:, 0] + features[:, 1] ** 2 > 1).astype(np.int64)
    forest = ExtraTreesClassifier(12, min_samples_leaf=2, random_state=0).fit(features, labels)
    linear = LinearPart(np.array([1, 0, -1, 0.5], np.float32), 0.25, 0.1)

    graph = forest_graph([tree.tree_ for tree in forest.estimators_], linear)

    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    scores = session.run(None, {"features": features})[0][:, 0]
    logits = features @ linear.weight + linear.bias
    expected = 0.9 * forest.predict_proba(features)[:, 1] + 0.1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_the_vector_of_a_sentence_is_the_scaled_mean_of_its_tokens():
    mask = np.array([[1, 1, 1, 0]], np.int64)
    tokens = np.random.default_rng(2).normal(size=(1, 4, 3)).astype(np.float32)
    head = io.BytesIO()
    np.savez(head, weight=np.eye(3, dtype=np.float32)[:1], bias=np.ones(1, np.float32))

    vector = _run(convert("sentence-vectors", [_passing_transformer()]), tokens, mask)
    logits = _run(convert("sentence-vectors", [_passing_transformer(), head.getvalue()]), tokens, mask)

    mean = tokens[0, :3].mean(axis=0)
    np.testing.assert_allclose(vector[0], mean / np.linalg.norm(mean), atol=1e-6)
    np.testing.assert_allclose(logits, [[vector[0, 0] + 1]], atol=1e-6)


def test_white_space_is_removed_before_the_bytes_of_a_file_are_counted():
    spec = BytesInputSpec(name="bytes", head=4, tail=3, strip=True, pad=256)
    prepare = BytesPreparer(spec, np.dtype(np.int32))

    (prepared,) = prepare(b" " * 20 + b"abcdefgh" + b"\n" * 20)

    assert prepared.feeds["bytes"].tolist() == [[*b"abcd", *b"fgh"]]


def _passing_transformer() -> bytes:
    """A graph that answers its input, as a transformer of three features."""
    values = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Identity", ["tokens"], ["hidden"])],
        "transformer",
        [
            values("tokens", TensorProto.FLOAT, ["batch", "sequence", 3]),
            values("attention_mask", TensorProto.INT64, ["batch", "sequence"]),
        ],
        [values("hidden", TensorProto.FLOAT, ["batch", "sequence", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _run(graph: bytes, tokens: NDArray[np.float32], mask: NDArray[np.int64]) -> NDArray[Any]:
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    result: NDArray[Any] = session.run(None, {"tokens": tokens, "attention_mask": mask})[0]
    return result
