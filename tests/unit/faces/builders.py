"""Made-up faces and people for tests that need no photograph."""

import numpy as np
from numpy.typing import NDArray

from vigil.faces.gallery import Gallery, build_gallery
from vigil.faces.pipeline import Face
from vigil.faces.quality import FaceMeasures
from vigil.faces.segments import EnrolledPerson

VECTOR_LENGTH = 64
EMBEDDING_SPACE = "space"


def vector(seed: int) -> NDArray[np.float32]:
    """A unit vector; two seeds give two that are nearly at right angles."""
    made = np.random.default_rng(seed).standard_normal(VECTOR_LENGTH, np.float32)
    return np.asarray(made / np.linalg.norm(made), np.float32)


def vector_at_cosine(reference: NDArray[np.float32], cosine: float, seed: int = 99) -> NDArray[np.float32]:
    """A unit vector at exactly this cosine to another."""
    random_vector = vector(seed)
    orthogonal = random_vector - (random_vector @ reference) * reference
    orthogonal /= np.linalg.norm(orthogonal)
    return np.asarray(cosine * reference + np.sqrt(1 - cosine**2) * orthogonal, np.float32)


def face(of_vector: NDArray[np.float32], quality: float = 1.0, quality_issues: tuple[str, ...] = ()) -> Face:
    return Face(
        (0, 0, 100, 120),
        0.99,
        np.zeros((68, 2), np.float32),
        of_vector,
        EMBEDDING_SPACE,
        FaceMeasures(120, 0.4, 0.1, 0.01),
        quality,
        quality_issues,
        sharpness=1.0,
        brightness=0.5,
    )


def gallery(*people: EnrolledPerson) -> Gallery:
    return build_gallery(EMBEDDING_SPACE, people)


def person(name: str, *templates: NDArray[np.float32], tags: frozenset[str] = frozenset()) -> EnrolledPerson:
    return EnrolledPerson(name, np.stack(templates), tags)
