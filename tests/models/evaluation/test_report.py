"""A release is evaluated as it serves, and reported as JSON and as a page."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from models.evaluation.report import IncompatibleDataset, evaluate_release
from tests.fakes.memory import NOON
from tests.fakes.onnx_classifier import LABELS, write_classifier
from tests.models.training.jobs import face_images
from tests.models.training.tiny_network import BACKBONE_CARD, tiny_backbone
from vigil.training.dataset import format_manifest
from vigil.training.examples import DatasetEntry

COLOURS = ((220, 30, 30), (30, 220, 30), (30, 30, 220))


def coloured(folder: Path) -> Path:
    """Thirty pictures from two sources; every tenth has a wrong label."""
    folder.mkdir()
    entries = []
    for n in range(30):
        Image.new("RGB", (20, 20), COLOURS[n % 3]).save(folder / f"{n}.png")
        label = LABELS[(n % 3 + (n % 10 == 0)) % 3]
        entries.append(
            DatasetEntry(f"{n}.png", "", label, "test", f"g{n}", "reviewer", NOON, {"source": "ab"[n % 2]})
        )
    (folder / "manifest.jsonl").write_text(format_manifest(entries), "utf-8")
    return folder


@pytest.fixture(scope="module")
def report_folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("report")
    write_classifier(root)
    return evaluate_release(root, "tiny-colours", coloured(root / "data"), root / "out")


def test_the_json_has_figures_with_intervals_by_class_and_by_slice(report_folder: Any):
    report = json.loads(report_folder.json.read_text("utf-8"))

    assert report["figures"]["accuracy"]["value"] == pytest.approx(0.9)
    assert np.sum(report["confusion"]) == report["items"] == 30
    assert report["slices"]["source"]["a"]["accuracy"]["value"] == pytest.approx(0.8)
    assert report["slices"]["source"]["b"]["accuracy"]["value"] == 1


def test_the_page_is_self_contained_and_has_every_plot(report_folder: Any):
    page = report_folder.html.read_text("utf-8")

    assert page.count("<svg") == 5
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )


def test_the_same_release_on_the_same_data_gives_the_same_report(report_folder: Any, tmp_path: Path):
    home = report_folder.json.parent.parent

    again = evaluate_release(home, "tiny-colours", home / "data", tmp_path)

    assert again.html.read_bytes() == report_folder.html.read_bytes()
    assert again.json.read_bytes() == report_folder.json.read_bytes()


def test_an_embedding_is_evaluated_by_searching_a_gallery(tmp_path: Path):
    home = tmp_path / "tiny-embed"
    home.mkdir()
    (home / "card.toml").write_text(BACKBONE_CARD, "utf-8")
    onnx.save(tiny_backbone(), home / "model.onnx")
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "set.npz", **face_images(0, 30, 4))

    report = evaluate_release(tmp_path, "tiny-embed", tmp_path / "data", tmp_path / "out").figures

    assert report["kind"] == "identification"
    assert report["figures"]["rank_one"]["value"] > 0.5
    assert [one["resolved"] for one in report["fnir_at_fpir"]] == [False, False]


def test_a_release_that_does_not_match_the_data_is_rejected(tmp_path: Path):
    write_classifier(tmp_path)
    empty = tmp_path / "data"
    empty.mkdir()
    (empty / "manifest.jsonl").write_text("", "utf-8")

    with pytest.raises(IncompatibleDataset, match="has no items"):
        evaluate_release(tmp_path, "tiny-colours", empty, tmp_path / "out")
