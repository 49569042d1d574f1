"""One drop before two releases: who answers, who stands beside, and what both made of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from vigil.drops import Drop
from vigil.errors import BrokenRelease, Rejected, Transient, VigilError
from vigil.learn.trial import Trial
from vigil.learn.vitals import Vital
from vigil.seeing import Mark, Model, Models, Option, Scene


@dataclass(frozen=True, slots=True)
class Cast:
    """Who works on a drop.

    beside  looks as well: the candidate in shadow, the active release behind a candidate that answers
    tried   the release on trial; "" where there is none
    """

    answers: Model
    beside: Model | None = None
    tried: str = ""


class Trials(Protocol):
    """Which releases see a drop, and where what they showed is kept."""

    def cast(self, drop: Drop, models: Models) -> Cast:
        """Who answers. Raises UnknownModel; never fails for want of a release or its pointer."""

    def keep(self, trial: Trial) -> None:
        """Note it. Raises Transient."""

    def watch(self, vital: Vital) -> None:
        """Count what the active release showed; never fails."""


class NoTrials:
    """Port Trials, where every model has one release."""

    def cast(self, drop: Drop, models: Models) -> Cast:
        return Cast(models.get(drop.model))

    def keep(self, trial: Trial) -> None:
        """Nobody asks."""

    def watch(self, vital: Vital) -> None:
        """Nobody asks."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one release made of a drop; without a scene, it broke or would not read it."""

    release: str
    ms: float
    scene: Scene | None
    fault: str = ""


class Performance:
    """One drop, looked at by its cast: first for the answer, then, once that is kept, for comparison."""

    def __init__(self, cast: Cast, drop: Drop, data: bytes, options: Mapping[str, Option]) -> None:
        self._cast, self._drop, self._data, self._options = cast, drop, data, options
        self._first: Look | None = None
        self._other: Look | None = None

    def scene(self, mark: Mark) -> tuple[str, Scene]:
        """Which release answers, and what. A candidate that breaks is answered for by the active release.

        Raises Rejected for the input's fault, BrokenRelease where nobody can answer.
        """
        self._first = _look(self._cast.answers, self._data, self._options, mark)
        if self._first.scene is not None:
            return self._first.release, self._first.scene
        if self._cast.beside is None or self._first.release != self._cast.tried:
            raise BrokenRelease(self._first.fault)
        self._other = _look(self._cast.beside, self._data, self._options, mark)
        if self._other.scene is None:
            raise BrokenRelease(self._other.fault)
        return self._other.release, self._other.scene

    def trial(self) -> Trial | None:
        """What the two showed; None where one release looked and did well."""
        if self._first is None or (self._cast.beside is None and self._first.scene is not None):
            return None
        if self._cast.beside is not None and self._other is None:
            self._other = _beside(self._cast.beside, self._data, self._options)
        return self._told(self._first, self._other or Look("", 0.0, None))

    def vital(self) -> Vital | None:
        """How the active release did; None where it did not look for the answer."""
        look = self._first
        if look is None or look.release == self._cast.tried:
            return None
        return Vital(self._drop.model, look.release, look.ms, broke=look.scene is None, unsure=_unsure(look))

    def _told(self, first: Look, other: Look) -> Trial:
        mine, theirs = (other, first) if other.release == self._cast.tried != "" else (first, other)
        return Trial(
            model=self._drop.model,
            release=mine.release,
            drop=self._drop.id,
            agreed=_same(mine, theirs),
            failed=mine.scene is None,
            failed_other=theirs.scene is None,
            ms=mine.ms,
            ms_other=theirs.ms,
            unsure=_unsure(mine),
        )


def seen(trials: Trials, performance: Performance, mark: Mark) -> tuple[str, Scene]:
    """As Performance.scene; that nobody could answer is noted too."""
    try:
        return performance.scene(mark)
    except BrokenRelease:
        tell(trials, performance)
        raise


def tell(trials: Trials, performance: Performance) -> None:
    """Note what was shown; what cannot be noted now is not counted: no drop fails for it."""
    vital, trial = performance.vital(), performance.trial()
    if vital is not None:
        trials.watch(vital)
    try:
        if trial is not None:
            trials.keep(trial)
    except Transient:
        return


def _look(model: Model, data: bytes, options: Mapping[str, Option], mark: Mark) -> Look:
    began = time.perf_counter()
    try:
        scene = model.see(data, options, mark)
    except BrokenRelease as fault:
        return Look(model.release, _ms(began), None, str(fault))
    return Look(model.release, _ms(began), scene)


def _beside(model: Model, data: bytes, options: Mapping[str, Option]) -> Look:
    """As it looks for comparison: whatever it says, the drop has its answer."""
    try:
        return _look(model, data, options, _unmarked)
    except VigilError as fault:
        reason = fault.reason if isinstance(fault, Rejected) else str(fault)
        return Look(model.release, 0.0, None, reason)


def _unsure(look: Look) -> bool:
    """Whether it saw nothing that it knows."""
    return look.scene is not None and all(one.status != "known" for one in look.scene.sightings)


def _same(one: Look, other: Look) -> bool:
    """The same subjects, in whatever order."""
    if one.scene is None or other.scene is None:
        return False
    said = [sorted(seen.label for seen in look.scene.sightings) for look in (one, other) if look.scene]
    return said[0] == said[1]


def _ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _unmarked(_: str) -> None:
    """The drop has its end: no lease is renewed any more."""
