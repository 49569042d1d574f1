"""The enrolled people, and who of them a face looks most like: one matrix product for all faces at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One enrolled person.

    templates  (T, D) float32, unit rows, T >= 1: one for each accepted enrolment photograph
    tags       such as the watch lists the person is on
    """

    id: str
    templates: NDArray[np.float32]
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The two most similar people for each probe, as columns over the probes.

    first, second  (n,) int64, places in `Gallery.people`; -1 where there is no such person
    score, runner_up  (n,) float32, cosine of each one's best template; -1 where there is none
    """

    first: NDArray[np.int64]
    score: NDArray[np.float32]
    second: NDArray[np.int64]
    runner_up: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """An unchanging set of people; each update makes a new one with the next version.

    embed    id of the vector space that all templates lie in: probes of another are never compared
    matrix   (T, D) float32, every template, the people's in their order
    starts   (P,) int64, each person's first row
    """

    embed: str
    people: tuple[Person, ...] = ()
    version: int = 0
    matrix: NDArray[np.float32] = field(init=False, repr=False)
    starts: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        counts = [len(person.templates) for person in self.people]
        stacked = [np.asarray(person.templates, np.float32) for person in self.people]
        matrix = np.concatenate(stacked) if stacked else np.empty((0, 0), np.float32)
        object.__setattr__(self, "matrix", np.ascontiguousarray(matrix))
        object.__setattr__(self, "starts", np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64))

    def __len__(self) -> int:
        """How many people are enrolled."""
        return len(self.people)

    def person(self, person_id: str) -> Person | None:
        return next((person for person in self.people if person.id == person_id), None)

    def with_person(self, person: Person) -> "Gallery":
        """The gallery with this person in place of whoever had the id."""
        others = (other for other in self.people if other.id != person.id)
        return Gallery(self.embed, ordered([*others, person]), self.version + 1)

    def without_person(self, person_id: str) -> "Gallery":
        """The gallery without that person: a new version, even if nobody had the id."""
        others = tuple(person for person in self.people if person.id != person_id)
        return Gallery(self.embed, others, self.version + 1)

    def identify(self, probes: NDArray[np.float32]) -> Candidates:
        """Compare faces with everybody.

        probes  (n, D) float32, unit rows
        """
        scores = probes @ self.matrix.T if self.people else np.empty((len(probes), 0), np.float32)
        if len(self.matrix) > len(self.people):
            scores = np.maximum.reduceat(scores, self.starts, axis=1)
        first, score = _strongest(scores)
        if len(self.people):
            scores[np.arange(len(probes)), first] = -2
        second, runner_up = _strongest(scores)
        return Candidates(first, score, np.where(runner_up > -2, second, -1), np.maximum(runner_up, -1))


def ordered(people: Iterable[Person]) -> tuple[Person, ...]:
    """People by id, so that a gallery's bytes do not depend on the order of enrolment."""
    return tuple(sorted(people, key=lambda person: person.id))


def stack(vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """(n, D) float32 from n vectors of D."""
    return np.stack(vectors).astype(np.float32, copy=False)


def _strongest(scores: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Per row the column of the largest score, and the score; -1 and -2 where there are no columns."""
    if not scores.shape[1]:
        return np.full(len(scores), -1, np.int64), np.full(len(scores), -2, np.float32)
    columns = scores.argmax(axis=1)
    return columns, scores[np.arange(len(scores)), columns]
