"""What is kept of people: templates of their photos, galleries of these, and which are in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from vigil.seeing import Box, Portrait

if TYPE_CHECKING:  # people are read where there is no numpy
    import numpy as np
    from numpy.typing import NDArray


class Template(Protocol):
    """What an enrolment photo came to: a (D,) float32 unit vector by space, quality 0 to 1, box in pixels."""

    @property
    def vectors(self) -> Mapping[str, NDArray[np.float32]]: ...
    @property
    def quality(self) -> float: ...
    @property
    def box_px(self) -> Box: ...
    @property
    def portrait(self) -> Portrait | None: ...


class Gallery(Protocol):
    """All that are enrolled, for every release in use; a value, never changed in place."""

    @property
    def version(self) -> int: ...
    @property
    def growing(self) -> frozenset[str]:
        """The spaces in which not everybody is yet."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What the pointer says: version, key of the snapshot by space, and the spaces that are not whole yet.

    since_s  when it was put in force, in seconds since 1970
    """

    version: int = 0
    keys: Mapping[str, str] = field(default_factory=dict)
    growing: frozenset[str] = frozenset()
    since_s: float = 0.0
