"""Examples that must not be torn apart: of one subject, or nearly the same picture."""

from collections.abc import Sequence

import numpy as np

from vigil.learn.example import Example
from vigil.learn.phash import near


def grouped(examples: Sequence[Example], near_bits: int) -> list[str]:
    """The name of each example's bundle: all that subject or likeness links, also through others.

    A bundle is called by the first of its subjects in order, so that it keeps its name as it grows with later
    subjects and its split with it.
    """
    parent = list(range(len(examples)))
    for one, other in [*_same_subject(examples), *_alike(examples, near_bits)]:
        _join(parent, one, other)
    roots = [_root(parent, n) for n in range(len(examples))]
    names: dict[int, str] = {}
    for root, example in zip(roots, examples, strict=True):
        names[root] = min(names.get(root, example.group), example.group)
    return [names[root] for root in roots]


def _same_subject(examples: Sequence[Example]) -> list[tuple[int, int]]:
    """A picture of two people ties both together."""
    first: dict[str, int] = {}
    return [
        (first.setdefault(name, n), n)
        for n, example in enumerate(examples)
        for name in (example.group, *example.people)
    ]


def _alike(examples: Sequence[Example], near_bits: int) -> list[tuple[int, int]]:
    pictures = [(n, example.phash) for n, example in enumerate(examples) if example.phash is not None]
    hashes = np.array([phash for _, phash in pictures], np.uint64)
    links: list[tuple[int, int]] = []
    for place, (n, phash) in enumerate(pictures):
        later = np.flatnonzero(near(hashes[place + 1 :], phash, near_bits)) + place + 1
        links += [(n, pictures[other][0]) for other in later]
    return links


def _root(parent: list[int], n: int) -> int:
    while parent[n] != n:
        parent[n] = parent[parent[n]]
        n = parent[n]
    return n


def _join(parent: list[int], one: int, other: int) -> None:
    parent[_root(parent, other)] = _root(parent, one)
