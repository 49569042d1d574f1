"""Two models one after the other: the second runs on the parts that the first one finds."""

import io
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from tests.fakes.network_releases import network_files, write_network
from vigil.inference.kinds import CARD_KINDS
from vigil.inference.network.check import check_release, example_input
from vigil.inference.network.stages import StagesModel
from vigil.inference.release import open_release
from vigil.inference.repository import BundledModels
from vigil.inference.types import ignore_stage
from vigil.toml_file import InvalidToml


def two_stages(root: Path, find: dict[str, bytes], read: dict[str, bytes], **tables: Any) -> StagesModel:
    card = {
        "model": {"name": "both", "version": "1", "summary": "two random networks"},
        "pipeline": {"kind": "stages", "parts": {"find": "first", "read": "second"}},
        "accepts": {"suffixes": [".bin"], "max_bytes": 1_000_000},
        **tables,
    }
    write_network(root, find, "first")
    write_network(root, read, "second")
    write_network(root, {"card.toml": tomli_w.dumps(card).encode()}, "both")
    check_release(open_release(root, "both"))
    model = BundledModels(root, CARD_KINDS).get("both")
    assert isinstance(model, StagesModel)
    return model


def loud_in_the_middle(seconds: float = 30.0, rate: int = 8000) -> bytes:
    samples = np.zeros(int(seconds * rate), np.int16)
    samples[10 * rate : 22 * rate] = 8000
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return out.getvalue()


def test_the_second_model_runs_on_each_box_of_the_first(tmp_path: Path):
    find, read = network_files("image", "boxes"), network_files("image", "softmax", seed=3)
    model = two_stages(tmp_path, find, read, rules=[{"name": "all", "status": "unknown"}])
    first = BundledModels(tmp_path, CARD_KINDS).get("first")
    data = example_input(model._find.card.input)

    prediction = model.predict(data, {}, ignore_stage)

    boxes = {one.box_px for one in first.predict(data, {}, ignore_stage).sightings}
    assert {one.box_px for one in prediction.sightings} == boxes
    assert prediction.size_px == (16, 12)
    assert [rule.name for rule in prediction.rules] == ["all"]


def test_the_second_model_hears_only_the_spans_of_the_first_in_pieces(tmp_path: Path):
    thresholds = {"output.threshold": 0.02, "output.low_threshold": 0.01}
    find = network_files("stream", "segments", seed=2, changes=thresholds)
    read = network_files("audio", "ctc", seed=4, changes={"output.threshold": 0.0})
    model = two_stages(tmp_path, find, read, cuts={"longest_s": 5.0})

    sightings = model.find_all(loud_in_the_middle())[0]
    silence = model.find_all(loud_in_the_middle(9.0))[0]

    assert silence == []
    assert len(sightings) == 3
    for one in sightings:
        assert one.span_s is not None
        assert 9.9 < one.span_s[0] < one.span_s[1] < 22.2
        assert one.span_s[1] - one.span_s[0] <= 5.0


def test_parts_of_other_inputs_do_not_go_together(tmp_path: Path):
    with pytest.raises(InvalidToml, match=r"both inputs must be of kind \"image\" or both \"audio\""):
        two_stages(tmp_path, network_files("image", "boxes"), network_files("audio", "ctc"))
