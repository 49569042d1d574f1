"""Galleries: enrolled people in one embedding space, and the same gallery in all spaces in use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from vigil.faces.segments import (
    EnrolledPerson,
    GallerySegment,
    SegmentCandidates,
    add_segment,
    build_segments,
)
from vigil.inference.types import DEFAULT_GALLERY


@dataclass(frozen=True, slots=True)
class Candidate:
    """The person most similar to one probe, and the next person.

    index            of the person, for `Gallery.person_at`
    score            cosine to the person's best template, -1 to 1
    runner_up        cosine to the best template of all other people; -1 if there are none
    runner_up_index  of the next person; `index` if there is nobody else
    """

    index: int
    score: float
    runner_up: float
    runner_up_index: int


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """An immutable set of people in one embedding space; an update shares the segments that it keeps."""

    embedding_space: str
    segments: tuple[GallerySegment, ...] = ()

    def __len__(self) -> int:
        """Number of people."""
        return sum(map(len, self.segments))

    @property
    def people(self) -> Iterator[EnrolledPerson]:
        """Everybody, in the order of their indices."""
        return (segment.person(index) for segment in self.segments for index in range(len(segment)))

    @property
    def ids(self) -> NDArray[np.bytes_]:
        """(P,) bytes in UTF-8, in the order of the indices."""
        return np.concatenate([np.array([], "S1"), *(segment.ids for segment in self.segments)])

    def person(self, person_id: str) -> EnrolledPerson | None:
        for segment in self.segments:
            index = segment.find(person_id)
            if index is not None:
                return segment.person(index)
        return None

    def person_at(self, index: int) -> EnrolledPerson:
        """The person of an index. Raises IndexError."""
        for segment in self.segments:
            if index < len(segment):
                return segment.person(index)
            index -= len(segment)
        raise IndexError(index)

    def with_person(self, person: EnrolledPerson) -> Gallery:
        """The gallery with this person, who replaces an entry of the same id."""
        (new,) = build_segments([person])
        return Gallery(self.embedding_space, add_segment(self.without_person(person.id).segments, new))

    def without_person(self, person_id: str) -> Gallery:
        """The gallery without this person; the same one if there is no such person."""
        for place, segment in enumerate(self.segments):
            index = segment.find(person_id)
            if index is not None:
                remaining = (*self.segments[:place], *segment.without(index), *self.segments[place + 1 :])
                return Gallery(self.embedding_space, remaining)
        return self

    def identify(self, probes: NDArray[np.float32]) -> tuple[Candidate, ...]:
        """The best candidate for each probe; the gallery must not be empty.

        probes  (n, D) float32, unit rows
        """
        by_segment = [segment.candidates(probes) for segment in self.segments]
        starts = np.cumsum([0, *map(len, self.segments)])
        return tuple(_best_candidate(by_segment, starts, number) for number in range(len(probes)))

    def people_above(self, probe: NDArray[np.float32], score: float, limit: int) -> tuple[str, ...]:
        """Ids of people with a template of at least this cosine to a probe, best first.

        probe  (D,) float32, unit length
        limit  how many templates are considered, the most similar ones
        """
        found = [pair for segment in self.segments for pair in segment.nearest_people(probe, limit)]
        return tuple(person for cosine, person in sorted(found, reverse=True)[:limit] if cosine >= score)


def build_gallery(embedding_space: str, people: Iterable[EnrolledPerson]) -> Gallery:
    """The gallery of these people, who have different ids."""
    return Gallery(embedding_space, build_segments(people))


def _best_candidate(by_segment: list[SegmentCandidates], starts: NDArray[np.int64], probe: int) -> Candidate:
    """The best candidate for one probe among the best two of each segment."""
    ranked = sorted(
        (
            (float(scores[probe]), int(start + people[probe]))
            for one, start in zip(by_segment, starts, strict=False)
            for people, scores in ((one.best, one.score), (one.second, one.second_score))
            if people[probe] >= 0
        ),
        reverse=True,
    )
    score, index = ranked[0]
    runner_up, runner_up_index = ranked[1] if len(ranked) > 1 else (-1.0, index)
    return Candidate(index, score, runner_up, runner_up_index)


@dataclass(frozen=True, slots=True, eq=False)
class GallerySet:
    """One gallery in all embedding spaces in use, immutable, with one version for all of them.

    name               of the gallery, such as "staff"
    incomplete_spaces  spaces whose gallery lacks people and is not used for matching yet
    """

    version: int = 0
    by_space: Mapping[str, Gallery] = field(default_factory=dict)
    incomplete_spaces: frozenset[str] = frozenset()
    name: str = DEFAULT_GALLERY

    def for_space(self, space: str) -> Gallery:
        """The gallery of a space; an empty one if there is none."""
        return self.by_space.get(space) or Gallery(space)

    def apply(self, change: Callable[[Gallery], Gallery]) -> GallerySet:
        """The next version, with each gallery changed in the same way."""
        return self._next_version({space: change(gallery) for space, gallery in self.by_space.items()})

    def with_gallery(self, gallery: Gallery, *, complete: bool) -> GallerySet:
        """The next version, with this gallery for its space and the others unchanged."""
        space = gallery.embedding_space
        incomplete = self.incomplete_spaces - {space} if complete else self.incomplete_spaces | {space}
        updated = replace(self, incomplete_spaces=incomplete)
        return updated._next_version({**self.by_space, space: gallery})

    def restricted_to(self, spaces: Collection[str]) -> GallerySet:
        """The next version, without the galleries of other spaces."""
        return self._next_version({space: one for space, one in self.by_space.items() if space in spaces})

    def contains_person(self, person: str) -> bool:
        return any(gallery.person(person) is not None for gallery in self.by_space.values())

    def missing_people(self, space: str) -> tuple[str, ...]:
        """Ids of people who are in another gallery but not in this one, sorted."""
        return _decode(np.setdiff1d(self._ids(), self.for_space(space).ids))

    def is_pending(self, gallery: Gallery, person: str) -> bool:
        """Whether reembedding has still to add a person to an incomplete gallery, with all their photos.

        A new photo must not be added before, as reembedding skips people who are in the gallery.
        """
        return (
            gallery.embedding_space in self.incomplete_spaces
            and gallery.person(person) is None
            and self.contains_person(person)
        )

    def person_ids(self) -> tuple[str, ...]:
        """Ids of people who are in any gallery, sorted."""
        return _decode(self._ids())

    def tags_for(self, person: str) -> frozenset[str]:
        """A person's tags, which are the same in all galleries."""
        entries = (gallery.person(person) for gallery in self.by_space.values())
        return next((person_entry.tags for person_entry in entries if person_entry is not None), frozenset())

    def _ids(self) -> NDArray[np.bytes_]:
        return np.unique(np.concatenate([np.array([], "S1"), *(one.ids for one in self.by_space.values())]))

    def _next_version(self, by_space: Mapping[str, Gallery]) -> GallerySet:
        incomplete = self.incomplete_spaces & set(by_space)
        return GallerySet(self.version + 1, by_space, incomplete, self.name)


def _decode(ids: NDArray[np.bytes_]) -> tuple[str, ...]:
    return tuple(one.decode() for one in ids.tolist())
