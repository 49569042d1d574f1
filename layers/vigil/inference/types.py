"""The interface of a model: bytes in, a prediction with its sightings out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:  # rules and stored sightings are read by functions without numpy
    import numpy as np
    from numpy.typing import NDArray

    from vigil.inference.card import CardRule

Status = Literal["known", "unknown", "ambiguous", "unfit"]
Box = tuple[float, float, float, float]
Option = str | int | float | bool
DEFAULT_GALLERY = "default"
"""The gallery of people and sources that name none."""

GALLERY_NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,30}$"


def box_area(box: Box) -> float:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def iou(first: Box, second: Box) -> float:
    """Intersection over union, 0 to 1."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    intersection = width * height
    return intersection / (box_area(first) + box_area(second) - intersection)


def is_gallery_name(text: str) -> bool:
    return re.fullmatch(GALLERY_NAME_PATTERN, text) is not None and text[-1] != "\n"


GALLERIES_OPTION = "galleries"
"""The option with the names of the galleries that faces are compared with, separated by spaces."""

AUTO, TILES = "auto", "tiles"
"""Values of the option `detect`, which says how a picture is searched, beside the input sizes of the card."""

StageCallback = Callable[[str], None]
"""Called with the name of each stage when it begins: measures stage times and renews the lease."""


def ignore_stage(_: str) -> None:
    """A StageCallback for callers that measure no stages."""


def detect_values(inputs: Iterable[str]) -> tuple[str, ...]:
    """What the option `detect` may be, with the names of a card's input sizes."""
    return AUTO, *inputs, TILES


@dataclass(frozen=True, slots=True)
class Sighting:
    """One result of a model in one drop: a label, its score and its place.

    label                   the subject's id or class name if `status` is "known", else the status
    status                  known; unknown (below the threshold, or nobody is enrolled); ambiguous (two
                            candidates too close); unfit (quality too low, never matched)
    score                   of the best candidate, known or not; None without candidates
    threshold               the score that is required; None if the model has none
    box_px                  left, top, right, bottom in pixels of the upright picture
    quality                 0 to 1
    vector                  (D,) float32, unit length
    embedding_space         id of the space of `vector`; vectors of different spaces are never compared
    same_subject_threshold  dot product from which on two vectors of one space are of one subject
    tags                    of the subject, such as its watch lists
    quality_issues          why it is unfit: "small", "blurred", "turned" aside, "rotated" in the picture
    value                   number of a regression, or of an anomaly before it became a score
    text                    that was read or heard
    row                     number of the row in a table, from 1
    span_s                  start and end in a recording, in seconds
    """

    label: str
    status: Status
    score: float | None = None
    threshold: float | None = None
    box_px: Box | None = None
    quality: float | None = None
    vector: NDArray[np.float32] | None = None
    embedding_space: str = ""
    same_subject_threshold: float | None = None
    tags: frozenset[str] = frozenset()
    quality_issues: tuple[str, ...] = ()
    value: float | None = None
    text: str | None = None
    row: int | None = None
    span_s: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class ReferenceImage:
    """The encoded part of an enrolment photo that later releases embed again.

    box_px  left, top, right, bottom of the face in pixels of this picture
    """

    data: bytes
    box_px: Box


@dataclass(frozen=True, slots=True)
class FaceOrigin:
    """Where an indexed face was found.

    image_id           of the photo; all faces of one photo have the same
    box                left, top, width, height as shares of the upright picture
    confidence         of the detector, 0 to 1
    external_image_id  how the client names the photo
    """

    image_id: str
    box: Box
    confidence: float
    external_image_id: str | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """The output of a model for one drop.

    sightings  highest score first, at most as many as the card allows
    found      their number before the card's limit
    size_px    (width, height) of the upright picture; None if the input is no picture
    notes      how the model ran, for readers: {"detect": "640"}
    rules      of the model's card: when a sighting is an alert
    """

    sightings: tuple[Sighting, ...]
    found: int
    size_px: tuple[int, int] | None = None
    notes: Mapping[str, Option] = field(default_factory=dict)
    rules: tuple[CardRule, ...] = ()


def is_rule_fulfilled(rule: CardRule, sighting: Sighting) -> bool:
    """Whether a sighting is what a rule of its model's card describes."""
    value = sighting.value
    return (
        sighting.status == rule.status
        and (rule.labels is None or sighting.label in rule.labels)
        and (rule.min_score is None or (sighting.score or 0.0) >= rule.min_score)
        and (rule.min_value is None or (value is not None and value >= rule.min_value))
        and (rule.max_value is None or (value is not None and value <= rule.max_value))
    )


class Model(Protocol):
    """One deployed model, ready to run.

    max_bytes  size of the largest file that it reads
    """

    @property
    def name(self) -> str: ...
    @property
    def release(self) -> str: ...
    @property
    def max_bytes(self) -> int: ...

    def predict(self, data: bytes, options: Mapping[str, Option], on_stage: StageCallback) -> Prediction:
        """Run the model with the options of the drop's source. Raises Rejected for unreadable input."""


class Models(Protocol):
    """The models of this deployment."""

    def get(self, name: str) -> Model:
        """The model, loaded at its first use. Raises UnknownModel."""
