"""Tells strangers apart without knowing them: faces of one window at one source, grouped by likeness."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Strangers:
    """The unknown subjects of one source and window.

    revision  of the stored row, 0 while there is none; it guards against two writers
    ids       (n) names of the subjects, oldest first
    vectors   (n, D) float32, unit length, each subject's first vector
    same_as   the cosine from which on two are one, as it was last used
    """

    source: str
    window: str
    revision: int
    ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    same_as: float = 1.0

    LIMIT: ClassVar[int] = 300
    """Subjects kept for one window: beyond it the oldest is forgotten (a row holds 400 KB)."""


def nobody(source: str, window: str) -> Strangers:
    """No stranger yet."""
    return Strangers(source, window, 0, (), np.empty((0, 0), np.float32))


def recognise(
    strangers: Strangers, vector: NDArray[np.float32], *, same_as: float, new_id: str
) -> tuple[str, Strangers]:
    """The stranger that a (D,) unit vector belongs to, and the strangers with them in.

    The nearest one whose cosine reaches `same_as`, else a new one by the name `new_id`.
    """
    if strangers.ids:
        cosines = strangers.vectors @ vector
        nearest = int(cosines.argmax())
        if cosines[nearest] >= same_as:
            return strangers.ids[nearest], strangers
    kept = slice(1, None) if len(strangers.ids) >= Strangers.LIMIT else slice(None)
    vectors: Sequence[NDArray[np.float32]] = [*strangers.vectors[kept], vector]
    return new_id, replace(
        strangers, ids=(*strangers.ids[kept], new_id), vectors=np.stack(vectors), same_as=same_as
    )


def without(strangers: Strangers, vectors: NDArray[np.float32]) -> Strangers:
    """Those who are none of these: (n, D) float32, unit rows, n >= 1."""
    if not strangers.ids:
        return strangers
    others = np.flatnonzero((strangers.vectors @ vectors.T).max(axis=1) < strangers.same_as)
    ids = tuple(strangers.ids[place] for place in others)
    return replace(strangers, ids=ids, vectors=strangers.vectors[others])
