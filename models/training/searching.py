"""A held-out split as searches of a gallery: some people enrolled with one vector, the rest strangers."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vigil.learn.identification import Searches, miss_rate, search
from vigil.learn.intervals import Resampling

STRANGERS = 3
"""One person in so many is never enrolled."""

ONCE = Resampling(rounds=1)


def searches(vectors: NDArray[np.float32], people: Sequence[str]) -> Searches:
    """Every vector that enrols nobody is a probe.

    vectors  (N, D) float32, of any length
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    templates, probes = enrolled(people), searched(people)
    return search(
        (unit[probes] @ unit[templates].T).astype(np.float32),
        probes=[people[n] for n in probes],
        templates=[people[n] for n in templates],
    )


def enrolled(people: Sequence[str]) -> list[int]:
    """The first vector of each person who is no stranger."""
    first: dict[str, int] = {}
    for n, person in enumerate(people):
        if not _is_stranger(person):
            first.setdefault(person, n)
    return list(first.values())


def searched(people: Sequence[str]) -> list[int]:
    """All other vectors: the probes."""
    templates = set(enrolled(people))
    return [n for n in range(len(people)) if n not in templates]


def found_rate(searched: Searches, fpirs: Sequence[float] = (0.1, 0.01)) -> float:
    """How many enrolled probes are found, 0 to 1, on average over these false positive rates."""
    return float(np.mean([1 - miss_rate(searched, fpir, ONCE).fnir.value for fpir in fpirs]))


def impostors(vectors: NDArray[np.float32], people: Sequence[str]) -> tuple[list[float], list[float]]:
    """False match rates, falling, and the cosine of each; none that fewer than ten pairs show."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    names = np.asarray(people)
    one, other = np.triu_indices(len(names), 1)
    cosine = np.sort((unit @ unit.T)[one, other][names[one] != names[other]])
    rates = [rate for rate in (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 1e-3, 1e-4, 1e-5) if rate * len(cosine) >= 10]
    return rates, [round(float(np.quantile(cosine, 1 - rate)), 4) for rate in rates]


def _is_stranger(person: str) -> bool:
    return hashlib.sha256(person.encode()).digest()[0] % STRANGERS == 0
