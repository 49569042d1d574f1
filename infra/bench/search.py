"""Finding a face among many people, against the plain matrix product that it cannot do without."""

from functools import partial

import numpy as np

from infra.bench.ratios import Ratio, ratio
from vigil.faces.gallery import Gallery, Person

SIZES = (1_000, 10_000, 100_000)
LENGTH = 512
PROBES = 4
"""Faces of one photo, matched at once."""


def search_over_numpy(sizes: tuple[int, ...] = SIZES, rounds: int = 60) -> dict[str, Ratio]:
    """By number of people: identify against `probes @ templates.T`."""
    return {str(size): _search(size, rounds) for size in sizes}


def _search(size: int, rounds: int) -> Ratio:
    draw = np.random.default_rng(size)
    rows = draw.standard_normal((size, LENGTH), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    gallery = Gallery("bench", tuple(Person(str(place), rows[place : place + 1]) for place in range(size)))
    probes = rows[draw.integers(0, size, PROBES)]
    plain = partial(np.matmul, probes, gallery.matrix.T)
    return ratio(partial(gallery.identify, probes), plain, rounds=rounds)
