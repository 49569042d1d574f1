"""Gallery search against the matrix product of all templates with the probes."""

from functools import partial

import numpy as np

from tests.benchmark.ratios import Ratio, measure_ratio
from vigil.faces.gallery import build_gallery
from vigil.faces.segments import EnrolledPerson

GALLERY_SIZES = (1_000, 10_000, 100_000)
EMBEDDING_LENGTH = 512
PROBES_PER_PHOTO = 4
"""Faces of one photo that are matched in one call."""


def search_over_numpy(sizes: tuple[int, ...] = GALLERY_SIZES, rounds: int = 60) -> dict[str, Ratio]:
    """Return, by number of people, the time of `identify` over that of the better of both plain products."""
    return {str(size): _measure_search(size, rounds) for size in sizes}


def _measure_search(size: int, rounds: int) -> Ratio:
    rng = np.random.default_rng(size)
    rows = rng.standard_normal((size, EMBEDDING_LENGTH), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    gallery = build_gallery(
        "bench", (EnrolledPerson(str(index), rows[index : index + 1]) for index in range(size))
    )
    probes = rows[rng.integers(0, size, PROBES_PER_PHOTO)]
    products = [partial(np.matmul, probes, rows.T), partial(np.matmul, rows, probes.T)]
    identify = partial(gallery.identify, probes)
    ratios = [measure_ratio(identify, product, rounds=rounds) for product in products]
    return max(ratios, key=lambda ratio: ratio.ours_over_theirs)
