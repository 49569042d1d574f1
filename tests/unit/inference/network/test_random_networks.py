"""A card for a model that nobody has seen works without code: random graphs of each input and each head."""

from pathlib import Path

import pytest

from tests.fakes.network_releases import INPUTS, OUTPUTS, network_files, opened_network
from vigil.inference.network.check import check_release, example_input
from vigil.inference.release import open_release
from vigil.inference.types import ignore_stage

DETECTORS = ("boxes", "anchors", "distribution")
HEADS_OF_ANY_INPUT = sorted(set(OUTPUTS) - {"segments", *DETECTORS})
CASES = [
    *((one, head) for one in sorted(INPUTS) for head in HEADS_OF_ANY_INPUT),
    ("stream", "segments"),
    *(("image", decoder) for decoder in DETECTORS),
]


@pytest.mark.parametrize(("case_input", "head"), CASES)
def test_a_random_network_answers_from_its_card_alone(tmp_path: Path, case_input: str, head: str):
    model = opened_network(tmp_path, network_files(case_input, head, seed=len(head)))

    prediction = model.predict(example_input(model.card.input), {}, ignore_stage)

    check_release(open_release(tmp_path, "tiny"))
    assert len(prediction.sightings) == min(prediction.found, 40)
    assert prediction.found or head == "segments"
    assert all(one.score is None or 0 <= one.score <= 1 for one in prediction.sightings)
