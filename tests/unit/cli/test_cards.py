"""`vigil models new`, `check` and `try`: a model from its graph, without code."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from tests.fakes.network_releases import INPUTS, OUTPUTS, RandomGraph, network_files, write_network
from vigil.inference.network.model import open_network
from vigil.inference.release import open_release
from vigil.inference.session import verify_golden
from vigil_cli.__main__ import app


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["models", *map(str, arguments)])


@pytest.mark.parametrize(
    ("case", "head", "kind"), [("image", "softmax", "image"), ("tensor", "binary", "tensor")]
)
def test_a_draft_from_a_graph_passes_its_check(tmp_path: Path, case: str, head: str, kind: str):
    _, shape, dtype = INPUTS[case]
    graph = tmp_path / "mine.onnx"
    graph.write_bytes(RandomGraph(shape, OUTPUTS[head][1], dtype).build())

    drafted = run("new", "mine", "--from", graph, "--folder", tmp_path)
    checked = run("check", tmp_path / "mine")

    assert (drafted.exit_code, checked.exit_code) == (0, 0), drafted.output + checked.output
    assert f'kind = "{kind}"' in (tmp_path / "mine" / "card.toml").read_text()
    assert "fit together" in checked.output


def test_a_wrong_card_is_refused_with_its_key(tmp_path: Path):
    folder = write_network(tmp_path, network_files(changes={"input.name": "y"}))

    refused = run("check", folder)

    assert refused.exit_code == 2
    assert "input.name: the graph has no input 'y'" in refused.output.replace("\n", "")


def test_a_file_is_tried_and_becomes_a_golden_sample(tmp_path: Path):
    folder = write_network(tmp_path, network_files("image", "boxes"))
    Image.fromarray(np.full((12, 16, 3), 90, np.uint8)).save(tmp_path / "a.png")

    tried = run("try", folder, tmp_path / "a.png", "--golden")

    assert tried.exit_code == 0, tried.output
    (answer,) = [json.loads(line) for line in tried.stdout.splitlines()]
    assert answer["labels"][0]["box_px"]
    release = open_release(tmp_path, "tiny")
    verify_golden(release, open_network(release, lambda _: release))


def test_a_wrong_file_is_explained(tmp_path: Path):
    folder = write_network(tmp_path, network_files("table", "binary"))
    (tmp_path / "a.csv").write_text("amount,country\nmuch,DE\n")

    tried = run("try", folder, tmp_path / "a.csv")

    assert tried.exit_code == 2
    assert "invalid-table: row 1: amount is 'much'" in tried.output.replace("\n", " ")
