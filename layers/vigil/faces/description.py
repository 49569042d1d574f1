"""What can be stated about a face without knowing whose it is: named landmarks, pose and picture quality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigil.faces.pipeline import Face
from vigil.inference.types import Box, box_area

LANDMARK_INDICES: Mapping[str, tuple[int, ...]] = {
    "eyeLeft": (36, 37, 38, 39, 40, 41),
    "eyeRight": (42, 43, 44, 45, 46, 47),
    "mouthLeft": (48,),
    "mouthRight": (54,),
    "nose": (30,),
    "leftEyeBrowLeft": (17,),
    "leftEyeBrowRight": (21,),
    "leftEyeBrowUp": (19,),
    "rightEyeBrowLeft": (22,),
    "rightEyeBrowRight": (26,),
    "rightEyeBrowUp": (24,),
    "leftEyeLeft": (36,),
    "leftEyeRight": (39,),
    "leftEyeUp": (37, 38),
    "leftEyeDown": (40, 41),
    "rightEyeLeft": (42,),
    "rightEyeRight": (45,),
    "rightEyeUp": (43, 44),
    "rightEyeDown": (46, 47),
    "noseLeft": (31,),
    "noseRight": (35,),
    "mouthUp": (51,),
    "mouthDown": (57,),
    "leftPupil": (37, 38, 40, 41),
    "rightPupil": (43, 44, 46, 47),
    "upperJawlineLeft": (0,),
    "midJawlineLeft": (4,),
    "chinBottom": (8,),
    "midJawlineRight": (12,),
    "upperJawlineRight": (16,),
}
"""Points of the 68 of iBUG whose mean is the landmark; left and right as they appear in the picture."""

POSE_INDICES = (30, 8, 36, 45, 48, 54)
"""Nose tip, chin, outer eye corners and mouth corners."""

MEAN_HEAD = np.array(
    [(0, 0, 0), (0, 330, 65), (-225, -170, 135), (225, -170, 135), (-150, 150, 125), (150, 150, 125)],
    np.float64,
)
"""(6, 3) The same points on a mean head: right, down and away from the camera, of any unit."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Rotation of a head in degrees; 0 looks straight into the camera.

    roll   clockwise in the picture
    yaw    towards the right edge of the picture
    pitch  upwards
    """

    roll: float
    yaw: float
    pitch: float


@dataclass(frozen=True, slots=True)
class FaceDescription:
    """One face.

    box_px      left, top, right, bottom in pixels of the upright picture, within it
    confidence  of the detector that this is a face, 0 to 1
    landmarks   by name, x and y in pixels of the upright picture
    brightness  0 to 1
    sharpness   0 to 1
    quality     0 to 1
    """

    box_px: Box
    confidence: float
    landmarks: Mapping[str, tuple[float, float]]
    pose: Pose
    brightness: float
    sharpness: float
    quality: float
    quality_issues: tuple[str, ...]


def describe_face(face: Face) -> FaceDescription:
    return FaceDescription(
        face.box_px,
        face.detector_score,
        name_landmarks(face.landmarks),
        estimate_pose(face.landmarks),
        face.brightness,
        face.sharpness,
        face.quality,
        face.quality_issues,
    )


def largest_face(faces: Sequence[Face]) -> int | None:
    """The index of the face with the largest box; None without a face."""
    areas = [box_area(one.box_px) for one in faces]
    return areas.index(max(areas)) if areas else None


def name_landmarks(points: NDArray[np.float32]) -> dict[str, tuple[float, float]]:
    """The named landmarks among (68, 2) float32 points, in the same pixels."""
    means = ((name, points[list(indices)].mean(axis=0)) for name, indices in LANDMARK_INDICES.items())
    return {name: (float(x), float(y)) for name, (x, y) in means}


def estimate_pose(points: NDArray[np.float32]) -> Pose:
    """The rotation of the mean head whose scaled orthographic projection fits the points best.

    points  (68, 2) float32, x and y in pixels

    Only the rotation of a rigid mean head is estimated: a long chin or an open mouth reads as pitch.
    """
    located = points[list(POSE_INDICES)].astype(np.float64)
    head = MEAN_HEAD - MEAN_HEAD.mean(axis=0)
    across, down = np.linalg.lstsq(head, located - located.mean(axis=0), rcond=None)[0].T
    right = across / max(float(np.linalg.norm(across)), 1e-9)
    below = down - (down @ right) * right
    below /= max(float(np.linalg.norm(below)), 1e-9)
    away = np.cross(right, below)
    roll, yaw, pitch = (
        np.arctan2(below[0], right[0]),
        np.arcsin(np.clip(away[0], -1, 1)),
        np.arctan2(-away[1], away[2]),
    )
    return Pose(*(round(float(np.degrees(angle)), 2) for angle in (roll, yaw, pitch)))
