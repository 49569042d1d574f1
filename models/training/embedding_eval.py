"""A held-out split as searches of a gallery: some people enrolled with one vector, the rest strangers."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics import SearchScores, fnir_at_fpir, search_scores
from vigil.inference.evaluation import Resampling

UNENROLLED_ONE_IN = 3
"""One person in so many is never enrolled."""

NO_RESAMPLING = Resampling(rounds=1)


def search_split(vectors: NDArray[np.float32], subjects: Sequence[str]) -> SearchScores:
    """Every vector that enrols nobody is a probe.

    vectors  (N, D) float32, of any length
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    templates, probes = template_indices(subjects), probe_indices(subjects)
    return search_scores(
        (unit[probes] @ unit[templates].T).astype(np.float32),
        probes=[subjects[n] for n in probes],
        templates=[subjects[n] for n in templates],
    )


def template_indices(subjects: Sequence[str]) -> list[int]:
    """The first vector of each person who is no stranger."""
    first: dict[str, int] = {}
    for n, person in enumerate(subjects):
        if not _is_unenrolled(person):
            first.setdefault(person, n)
    return list(first.values())


def probe_indices(subjects: Sequence[str]) -> list[int]:
    """All other vectors: the probes."""
    templates = set(template_indices(subjects))
    return [n for n in range(len(subjects)) if n not in templates]


def identification_rate(searches: SearchScores, fpirs: Sequence[float] = (0.1, 0.01)) -> float:
    """How many enrolled probes are found, 0 to 1, on average over these false positive rates."""
    return float(np.mean([1 - fnir_at_fpir(searches, fpir, NO_RESAMPLING).fnir.value for fpir in fpirs]))


def impostor_scores(vectors: NDArray[np.float32], subjects: Sequence[str]) -> tuple[list[float], list[float]]:
    """False match rates, falling, and the cosine of each; none that fewer than ten pairs show."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    names = np.asarray(subjects)
    one, other = np.triu_indices(len(names), 1)
    cosine = np.sort((unit @ unit.T)[one, other][names[one] != names[other]])
    rates = [rate for rate in (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 1e-3, 1e-4, 1e-5) if rate * len(cosine) >= 10]
    return rates, [round(float(np.quantile(cosine, 1 - rate)), 4) for rate in rates]


def _is_unenrolled(subject: str) -> bool:
    return hashlib.sha256(subject.encode()).digest()[0] % UNENROLLED_ONE_IN == 0
