"""What a model is to the rest of Vigil: bytes in, a scene of sightings out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:  # rules are checked, and sightings read, where there is no numpy
    import numpy as np
    from numpy.typing import NDArray

Status = Literal["known", "unknown", "ambiguous", "unfit"]
Box = tuple[float, float, float, float]
Option = str | int | float | bool
StageCallback = Callable[[str], None]
"""Told the name of each stage as it begins: for stage times, lease renewal and locating faults."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One thing that a model saw in one drop: who or what, how surely, and where.

    label      the subject's id or class name where `status` is "known", else the status itself
    status     known; unknown (nobody, nothing enrolled); ambiguous (two candidates too close);
               unfit (too poor to be judged: never matched)
    score      of the best candidate, known or not; None where there was none to compare with
    threshold  what `score` had to reach, None where the model has none
    box_px     left, top, right, bottom in pixels of the upright picture
    quality    0 to 1
    vector     (D,) float32, unit length; two sightings of one space whose dot product reaches `same_as`
               are of one subject, so that strangers can be told apart without being known
    space      id of the space that `vector` lies in: across two spaces nothing is ever compared
    tags       of the subject, such as the watch lists it is on
    faults     why it is unfit, in the model's words: "small", "blurred", "turned"
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


@dataclass(frozen=True, slots=True)
class ReferenceImage:
    """What is kept of a photo for releases to come: an encoded picture, and where in it the subject is.

    box_px  left, top, right, bottom in pixels of this picture
    """

    data: bytes
    box_px: Box


@dataclass(frozen=True, slots=True)
class Prediction:
    """All that a model saw in one drop.

    size_px    (width, height) of the upright picture, None where the input is none
    sightings  strongest first, at most as many as the card keeps
    found      how many there were before the card's cap: never fewer than `sightings`
    notes      what the model did on the way and a reader may ask about: {"detect": "640"}
    """

    sightings: tuple[Sighting, ...]
    found: int
    size_px: tuple[int, int] | None = None
    notes: Mapping[str, Option] = field(default_factory=dict)


class Model(Protocol):
    """One deployed model, ready to run.

    `suffixes` are the lower-case file endings that it reads (".jpg"); `max_bytes` the largest object.
    """

    @property
    def name(self) -> str: ...
    @property
    def release(self) -> str: ...
    @property
    def suffixes(self) -> frozenset[str]: ...
    @property
    def max_bytes(self) -> int: ...

    def predict(self, data: bytes, options: Mapping[str, Option], on_stage: StageCallback) -> Prediction:
        """Run the model. Raises Rejected for input that cannot be read; `options` are the source's."""


class Models(Protocol):
    """The models of this deployment."""

    def get(self, name: str) -> Model:
        """Load at first use, then keep. Raises UnknownModel."""
