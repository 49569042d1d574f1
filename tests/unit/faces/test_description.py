"""Landmarks have names, and the pose is that of the mean head."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.faces.builders import face, vector
from vigil.faces.description import (
    LANDMARK_INDICES,
    MEAN_HEAD,
    POSE_INDICES,
    describe_face,
    estimate_pose,
    largest_face,
    name_landmarks,
)


def rotation(roll: float, yaw: float, pitch: float) -> NDArray[np.float64]:
    """Of a head that turns up, then towards the right edge, then clockwise; angles in degrees."""
    a, b, c = np.radians([roll, -yaw, -pitch])
    around_view = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    around_down = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    around_right = np.array([[1, 0, 0], [0, np.cos(c), -np.sin(c)], [0, np.sin(c), np.cos(c)]])
    return np.asarray(around_view @ around_down @ around_right)


@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (20, 0, 0), (0, 30, 0), (0, 0, 15), (-10, -25, -12), (170, 5, 5)]
)
def test_the_pose_of_a_projected_head_is_its_rotation(angles: tuple[float, float, float]):
    points = np.zeros((68, 2), np.float32)
    points[list(POSE_INDICES)] = 0.3 * (MEAN_HEAD @ rotation(*angles).T)[:, :2] + (200, 150)

    pose = estimate_pose(points)

    assert (pose.roll, pose.yaw, pose.pitch) == pytest.approx(angles, abs=0.05)


def test_points_that_coincide_have_a_pose():
    pose = estimate_pose(np.full((68, 2), 7, np.float32))

    assert all(-180 <= angle <= 180 for angle in (pose.roll, pose.yaw, pose.pitch))


def test_each_landmark_is_the_mean_of_its_points():
    points = np.arange(136, dtype=np.float32).reshape(68, 2)

    named = name_landmarks(points)

    assert named.keys() == LANDMARK_INDICES.keys()
    assert (named["nose"], named["leftEyeUp"]) == ((60, 61), (75, 76))


def test_the_largest_face_is_that_with_the_largest_box():
    assert largest_face([]) is None
    assert largest_face([face(vector(1)), face(vector(2))]) == 0
    assert describe_face(face(vector(1))).brightness == 0.5
