"""The enrolled people, and who of them a face looks most like: one matrix product for all faces at once."""

from collections.abc import Iterable
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


@dataclass(frozen=True, slots=True)
class Candidate:
    """The person most similar to one probe, and how similar the next one is.

    place      in `Gallery.people`
    score      cosine to the person's best template
    runner_up  cosine to the best template of anybody else; -1 where there is nobody else
    """

    place: int
    score: float
    runner_up: float


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

    def identify(self, probes: NDArray[np.float32]) -> tuple[Candidate, ...]:
        """The best candidate for each face, by comparing all of them with everybody at once.

        probes  (n, D) float32, unit rows; there must be somebody enrolled

        Templates times probes, not the other way round: for a few probes that is twice as fast.
        """
        scores = self.matrix @ probes.T
        if len(self.matrix) > len(self.people):
            scores = np.maximum.reduceat(scores, self.starts, axis=0)
        return tuple(_candidate(column) for column in np.ascontiguousarray(scores.T))


def ordered(people: Iterable[Person]) -> tuple[Person, ...]:
    """People by id, so that a gallery's bytes do not depend on the order of enrolment."""
    return tuple(sorted(people, key=lambda person: person.id))


def _candidate(scores: NDArray[np.float32]) -> Candidate:
    """
    scores  (P,) float32, one for each person; the best one's is overwritten
    """
    place = int(scores.argmax())
    score = float(scores[place])
    scores[place] = -1
    return Candidate(place, score, float(scores[scores.argmax()]))
