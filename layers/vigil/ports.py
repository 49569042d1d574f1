"""What the core asks of the world around it; `cloud` answers with AWS, the tests with memory."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from vigil.drops import Drop, Object
from vigil.seeing import Scene
from vigil.steady.degrade import Step
from vigil.watch.rules import Watch


class Objects(Protocol):
    """Where dropped objects lie."""

    def fetch(self, item: Object, max_bytes: int) -> bytes:
        """Read the version named. Raises ObjectGone, ObjectTooLarge (before reading), Transient."""


class Clock(Protocol):
    """The time now: aware, UTC."""

    def __call__(self) -> datetime: ...


class Reliefs(Protocol):
    """The steps of degradation in force; a change is noticed within seconds."""

    def __call__(self) -> Sequence[Step]: ...


def no_relief() -> Sequence[Step]:
    """Nothing is given up."""
    return ()


class Notice(Protocol):
    """Told what a release saw in a drop; never fails."""

    def __call__(self, drop: Drop, release: str, scene: Scene) -> None: ...


def unnoticed(drop: Drop, release: str, scene: Scene) -> None:
    """Nobody asks."""


class Watches(Protocol):
    """The watch file in force; a change is noticed within seconds."""

    def __call__(self) -> Watch: ...
