"""Made-up faces and people for tests that need no photograph."""

import numpy as np
from numpy.typing import NDArray

from vigil.faces.gallery import Gallery, Person
from vigil.faces.look import Face

LENGTH = 64
SPACE = "space"


def vector(seed: int) -> NDArray[np.float32]:
    """A unit vector; two seeds give two that are nearly at right angles."""
    made = np.random.default_rng(seed).standard_normal(LENGTH, np.float32)
    return np.asarray(made / np.linalg.norm(made), np.float32)


def near(one: NDArray[np.float32], cosine: float, seed: int = 99) -> NDArray[np.float32]:
    """A unit vector at exactly this cosine to another."""
    other = vector(seed)
    aside = other - (other @ one) * one
    aside /= np.linalg.norm(aside)
    return np.asarray(cosine * one + np.sqrt(1 - cosine**2) * aside, np.float32)


def face(of: NDArray[np.float32], quality: float = 1.0, faults: tuple[str, ...] = ()) -> Face:
    return Face((0, 0, 100, 120), 0.99, np.zeros((68, 2), np.float32), of, SPACE, quality, faults)


def gallery(*people: Person) -> Gallery:
    return Gallery(SPACE, people)


def person(name: str, *templates: NDArray[np.float32], tags: frozenset[str] = frozenset()) -> Person:
    return Person(name, np.stack(templates), tags)
