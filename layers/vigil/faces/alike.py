"""Which photographs under one name show somebody else: those that are like none of the others."""

import numpy as np
from numpy.typing import NDArray


def unlike(new: NDArray[np.float32], earlier: NDArray[np.float32] | None, alike: float) -> tuple[int, ...]:
    """The places in `new` of faces that are not the person's.

    new      (n, D) float32, unit rows, n >= 1
    earlier  (m, D) float32, unit rows of the person's templates; None where there are none
    alike    the cosine from which on two faces may be one person's

    A face belongs where a chain of faces, each like the next, leads to an earlier template. Where there are
    none, the largest group is the person; of two groups as large, nothing says which it is, and neither is.
    """
    like = new @ new.T >= alike
    if earlier is not None:
        kept = _reached(like, (new @ earlier.T).max(axis=1) >= alike)
        return tuple(int(place) for place in np.flatnonzero(~kept))
    groups = {tuple(_reached(like, row)) for row in np.eye(len(new), dtype=np.bool_)}
    sizes = sorted((sum(group) for group in groups), reverse=True)
    if len(groups) > 1 and sizes[0] == sizes[1]:
        return tuple(range(len(new)))
    largest = max(groups, key=sum)
    return tuple(place for place, inside in enumerate(largest) if not inside)


def _reached(like: NDArray[np.bool_], start: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """All that a chain leads to from any of the start."""
    reached = start
    while True:
        further = reached | like[reached].any(axis=0)
        if (further == reached).all():
            return reached
        reached = further
