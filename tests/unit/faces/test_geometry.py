"""Anchors, suppression of boxes, tiles and alignment are geometrically correct."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from models.build.files import CARDS
from vigil.faces.alignment import align_face, estimate_similarity
from vigil.faces.detector import DetectorCard, tile_starts
from vigil.faces.embedder import EmbedderCard
from vigil.inference.detection import decode_offsets, non_max_suppression, suppress_contained
from vigil.toml_file import load_toml

ANCHORS = load_toml(CARDS / "face-detect" / "card.toml").convert(DetectorCard).anchors
ALIGNMENT = load_toml(CARDS / "face-embed" / "card.toml").convert(EmbedderCard).alignment


@pytest.mark.parametrize(("size", "count"), [((320, 240), 4420), ((480, 360), 9870), ((640, 480), 17640)])
def test_there_are_as_many_anchors_as_outputs_of_the_network(size: tuple[int, int], count: int):
    grid = ANCHORS.grid(size)

    assert grid.shape[1] == 4
    assert abs(len(grid) - count) <= count * 0.02
    assert ((grid >= 0) & (grid <= 1)).all()


def test_the_anchors_of_a_part_of_the_input_are_those_of_the_whole_input_that_lie_there():
    whole, part = ANCHORS.grid((320, 240)), ANCHORS.grid((320, 240), (320, 192))

    everywhere = set(map(tuple, whole.tolist()))
    assert len(part) < 0.82 * len(whole)
    assert all(tuple(anchor) in everywhere for anchor in part.tolist())


def test_a_box_with_no_offset_is_the_anchor():
    grid = ANCHORS.grid((320, 240))

    boxes = decode_offsets(np.zeros_like(grid), grid, ANCHORS)

    np.testing.assert_allclose((boxes[:, :2] + boxes[:, 2:]) / 2, grid[:, :2], atol=1e-6)
    np.testing.assert_allclose(boxes[:, 2:] - boxes[:, :2], grid[:, 2:], atol=1e-6)


def test_of_two_boxes_on_one_face_the_higher_score_is_selected():
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]], np.float32)

    selected = non_max_suppression(boxes, np.array([0.8, 0.9, 0.7], np.float32), 0.3)

    assert selected.tolist() == [1, 2]


def test_a_box_inside_a_larger_one_is_removed_even_with_a_higher_score():
    boxes = np.array([[0, 0, 100, 100], [10, 10, 40, 40]], np.float32)

    assert suppress_contained(boxes, np.array([0.8, 0.9], np.float32), 0.5).tolist() == [0]


def test_no_boxes_are_selected_from_none():
    nothing = np.empty((0, 4), np.float32)

    assert non_max_suppression(nothing, nothing[:, 0], 0.3).tolist() == []
    assert suppress_contained(nothing, nothing[:, 0], 0.3).tolist() == []


@given(length=st.integers(1, 8000), tile=st.integers(50, 2000), lap=st.floats(0.05, 0.6))
def test_tiles_cover_the_whole_length_and_overlap_enough(length: int, tile: int, lap: float):
    positions = tile_starts(length, tile, lap)

    assert positions[0] == 0
    assert positions[-1] + tile >= length
    assert all(after - before <= tile * (1 - lap) + 1 for before, after in pairwise(positions))


@given(angle=st.floats(-3.1, 3.1), scale=st.floats(0.2, 8), x=st.floats(-500, 500), y=st.floats(-500, 500))
def test_the_inverse_of_a_similarity_transform_is_estimated(angle: float, scale: float, x: float, y: float):
    template = np.array(ALIGNMENT.target_points)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (template @ turn.T + [x, y]).astype(np.float32)

    back = estimate_similarity(moved, template)

    np.testing.assert_allclose(moved @ back[:, :2].T + back[:, 2], template, atol=0.02)


def _landmarks(factor: float, corner: tuple[float, float]) -> NDArray[np.float32]:
    """68 points whose anchor points are the template's, `factor` times as large, at `corner`."""
    points = np.zeros((68, 2), np.float32)
    for group, target in zip(ALIGNMENT.landmark_groups, ALIGNMENT.target_points, strict=True):
        points[list(group)] = np.array(target) * factor + corner
    return points


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.7, 3.0, 6.5])
def test_an_aligned_face_equals_the_picture_resized_to_the_target(factor: float):
    side = round(112 * factor)
    x, y = np.meshgrid(np.linspace(0, 255, side), np.linspace(0, 255, side))
    image = Image.fromarray(np.stack([x, y, np.full_like(x, 90)], axis=-1).astype(np.uint8))

    made = np.asarray(align_face(image, _landmarks(factor, (0, 0)), ALIGNMENT, (112, 112))).astype(int)

    expected = np.asarray(image.resize((112, 112), Image.Resampling.BOX)).astype(int)
    np.testing.assert_allclose(made[8:-8, 8:-8], expected[8:-8, 8:-8], atol=5)


def test_fine_stripes_do_not_alias_when_a_large_face_is_reduced():
    stripes = np.zeros((900, 900, 3), np.uint8)
    stripes[:, ::2] = 255

    made = np.asarray(align_face(Image.fromarray(stripes), _landmarks(7.5, (20, 20)), ALIGNMENT, (112, 112)))

    assert made.std() < 12


def test_a_face_at_the_edge_is_filled_with_black():
    image = Image.new("RGB", (200, 200), (200, 200, 200))

    made = np.asarray(align_face(image, _landmarks(1.0, (-60, 40)), ALIGNMENT, (112, 112)))

    assert (made[40, :50] == 0).all()
    assert (made[40, 70:] > 190).all()
