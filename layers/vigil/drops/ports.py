"""What the core asks of the world around it; `cloud` answers with AWS, the tests with memory."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from vigil.alerts.rules import RuleSet
from vigil.drops.messages import Drop, S3Object
from vigil.inference.types import Prediction
from vigil.reliability.degradation import DegradationStep


class InputReader(Protocol):
    """Where dropped objects lie."""

    def fetch(self, item: S3Object, max_bytes: int) -> bytes:
        """Read the version named. Raises ObjectNotFound, ObjectTooLarge (before reading), Transient."""


class Clock(Protocol):
    """The time now: aware, UTC."""

    def __call__(self) -> datetime: ...


class ActiveDegradation(Protocol):
    """The steps of degradation in force; a change is noticed within seconds."""

    def __call__(self) -> Sequence[DegradationStep]: ...


def no_degradation() -> Sequence[DegradationStep]:
    """Nothing is given up."""
    return ()


class PredictionObserver(Protocol):
    """Told what a release saw in a drop; never fails."""

    def __call__(self, drop: Drop, release: str, prediction: Prediction) -> None: ...


def ignore_prediction(drop: Drop, release: str, prediction: Prediction) -> None:
    """Nobody asks."""


class ActiveRules(Protocol):
    """The watch file in force; a change is noticed within seconds."""

    def __call__(self) -> RuleSet: ...
