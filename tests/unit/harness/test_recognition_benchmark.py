"""The benchmark's figures of face recognition, where the photographs of people are at hand or not."""

from pathlib import Path

from tests.benchmark.recognition import measure_recognition
from tests.fakes.built_models import faces_model


def test_without_photographs_of_people_the_figures_are_left_out(tmp_path: Path):
    assert measure_recognition(faces_model(), tmp_path / "people.tar") == {}
