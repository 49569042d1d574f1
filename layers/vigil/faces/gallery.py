"""The enrolled people, and who of them a face looks most like: one matrix product for all faces at once."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigil.errors import VigilError


@dataclass(frozen=True, slots=True, eq=False)
class EnrolledPerson:
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

    index: int
    score: float
    runner_up: float


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """An unchanging set of people; each update makes a new one with the next version.

    embed    id of the vector space that all templates lie in: probes of another are never compared
    matrix   (T, D) float32, every template, the people's in their order
    starts   (P,) int64, each person's first row
    """

    embedding_space: str
    people: tuple[EnrolledPerson, ...] = ()
    version: int = 0
    matrix: NDArray[np.float32] = field(init=False, repr=False)
    first_rows: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        counts = [len(person.templates) for person in self.people]
        stacked = [np.asarray(person.templates, np.float32) for person in self.people]
        matrix = np.concatenate(stacked) if stacked else np.empty((0, 0), np.float32)
        object.__setattr__(self, "matrix", np.ascontiguousarray(matrix))
        object.__setattr__(self, "first_rows", np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64))

    def __len__(self) -> int:
        """How many people are enrolled."""
        return len(self.people)

    def person(self, person_id: str) -> EnrolledPerson | None:
        return next((person for person in self.people if person.id == person_id), None)

    def with_person(self, person: EnrolledPerson) -> Gallery:
        """The gallery with this person in place of whoever had the id."""
        remaining = (existing for existing in self.people if existing.id != person.id)
        return Gallery(self.embedding_space, sort_by_id([*remaining, person]), self.version + 1)

    def without_person(self, person_id: str) -> Gallery:
        """The gallery without that person: a new version, even if nobody had the id."""
        remaining = tuple(person for person in self.people if person.id != person_id)
        return Gallery(self.embedding_space, remaining, self.version + 1)

    def identify(self, probes: NDArray[np.float32]) -> tuple[Candidate, ...]:
        """The best candidate for each face, by comparing all of them with everybody at once.

        probes  (n, D) float32, unit rows; there must be somebody enrolled

        Templates times probes, not the other way round: for a few probes that is twice as fast.
        """
        scores = self.matrix @ probes.T
        if len(self.matrix) > len(self.people):
            scores = np.maximum.reduceat(scores, self.first_rows, axis=0)
        return tuple(_best_candidate(column) for column in np.ascontiguousarray(scores.T))


def sort_by_id(people: Iterable[EnrolledPerson]) -> tuple[EnrolledPerson, ...]:
    """People by id, so that a gallery's bytes do not depend on the order of enrolment."""
    return tuple(sorted(people, key=lambda person: person.id))


def _best_candidate(scores: NDArray[np.float32]) -> Candidate:
    """
    scores  (P,) float32, one for each person; the best one's is overwritten
    """
    index = int(scores.argmax())
    score = float(scores[index])
    scores[index] = -1
    return Candidate(index, score, float(scores[scores.argmax()]))


# MERGED: One gallery a vector space, all in force together: what is enrolled, for every release that is in
#   use.


@dataclass(frozen=True, slots=True, eq=False)
class GallerySet:
    """A value, never changed in place; one version for all, so that they move at once or not at all.

    of       the gallery of each space
    keys     where each lies that is stored as it is here; one that has changed has none
    growing  spaces whose gallery does not hold everybody yet: nothing is matched with it
    """

    version: int = 0
    by_space: Mapping[str, Gallery] = field(default_factory=dict)
    snapshot_keys: Mapping[str, str] = field(default_factory=dict)
    incomplete_spaces: frozenset[str] = frozenset()

    def for_space(self, space: str) -> Gallery:
        """The gallery of a space; an empty one where there is none."""
        return self.by_space.get(space) or Gallery(space, version=self.version)

    def apply(self, change: Callable[[Gallery], Gallery]) -> GallerySet:
        """The next galleries: the same done to each."""
        return self._next_version({space: change(gallery) for space, gallery in self.by_space.items()}, {})

    def with_gallery(self, gallery: Gallery, *, complete: bool) -> GallerySet:
        """The next galleries, with this one in place of what its space had, and the others as they are."""
        unchanged_keys = {
            space: key for space, key in self.snapshot_keys.items() if space != gallery.embedding_space
        }
        updated = replace(
            self,
            incomplete_spaces=self.incomplete_spaces - {gallery.embedding_space}
            if complete
            else self.incomplete_spaces | {gallery.embedding_space},
        )
        return updated._next_version({**self.by_space, gallery.embedding_space: gallery}, unchanged_keys)

    def restricted_to(self, spaces: Collection[str]) -> GallerySet:
        """The next galleries, without those of any other space."""
        retained = {space: gallery for space, gallery in self.by_space.items() if space in spaces}
        return self._next_version(
            retained, {space: self.snapshot_keys[space] for space in retained if space in self.snapshot_keys}
        )

    def contains_person(self, person: str) -> bool:
        return any(gallery.person(person) is not None for gallery in self.by_space.values())

    def missing_people(self, space: str) -> tuple[str, ...]:
        """Who is in some gallery, and not in this one, in order."""
        present = {person.id for person in self.for_space(space).people}
        return tuple(person for person in self.person_ids() if person not in present)

    def is_pending(self, gallery: Gallery, person: str) -> bool:
        """Whether somebody is still to be carried over to a gallery, with all of their photos at once.

        With a newer photo of theirs alone in it, a migration would pass them over.
        """
        return (
            gallery.embedding_space in self.incomplete_spaces
            and gallery.person(person) is None
            and self.contains_person(person)
        )

    def person_ids(self) -> tuple[str, ...]:
        """Who is in any gallery, in order."""
        return tuple(sorted({person.id for gallery in self.by_space.values() for person in gallery.people}))

    def tags_for(self, person: str) -> frozenset[str]:
        """The same in every gallery that they are in."""
        entries = (gallery.person(person) for gallery in self.by_space.values())
        return next((person_entry.tags for person_entry in entries if person_entry is not None), frozenset())

    def _next_version(self, by_space: Mapping[str, Gallery], snapshot_keys: Mapping[str, str]) -> GallerySet:
        version = self.version + 1
        numbered = {
            space: gallery if space in snapshot_keys else replace(gallery, version=version)
            for space, gallery in by_space.items()
        }
        return GallerySet(version, numbered, snapshot_keys, self.incomplete_spaces & set(by_space))


# MERGED: A gallery as bytes and back: a line of JSON, then every template as one float16 .npy array. / Half
#   precision moves a cosine by less than 0.001 and halves what a Lambda must fetch.

SNAPSHOT_FORMAT = "vigil-gallery/1"


class InvalidSnapshot(VigilError):
    """The bytes are no gallery that this version reads."""


def serialize_gallery(gallery: Gallery) -> bytes:
    """The same gallery gives the same bytes."""
    people = sort_by_id(gallery.people)
    rows = [
        {"id": person.id, "tags": sorted(person.tags), "templates": len(person.templates)}
        for person in people
    ]
    header = {
        "format": SNAPSHOT_FORMAT,
        "version": gallery.version,
        "embedding_space": gallery.embedding_space,
        "people": rows,
    }
    out = io.BytesIO()
    out.write(json.dumps(header, separators=(",", ":"), sort_keys=True).encode() + b"\n")
    np.save(out, Gallery(gallery.embedding_space, people).matrix.astype(np.float16), allow_pickle=False)
    return out.getvalue()


def deserialize_gallery(data: bytes) -> Gallery:
    """Raises BadSnapshot."""
    try:
        return _parse_snapshot(data)
    except (ValueError, KeyError, TypeError, EOFError) as error:
        raise InvalidSnapshot(f"not a gallery snapshot: {error}") from error


def _parse_snapshot(data: bytes) -> Gallery:
    line, _, rest = data.partition(b"\n")
    header: dict[str, Any] = json.loads(line)
    if header["format"] != SNAPSHOT_FORMAT:
        raise InvalidSnapshot(
            f"gallery snapshot of format {header['format']!r}, this version reads {SNAPSHOT_FORMAT!r}"
        )
    templates = _normalize_rows(np.load(io.BytesIO(rest), allow_pickle=False).astype(np.float32))
    ends = np.cumsum([row["templates"] for row in header["people"]], dtype=np.int64)
    if len(templates) != (ends[-1] if len(ends) else 0):
        raise ValueError(f"{len(templates)} templates for {len(ends)} people")
    parts = np.split(templates, ends[:-1]) if len(ends) else []
    people = [
        EnrolledPerson(row["id"], part, frozenset(row["tags"]))
        for row, part in zip(header["people"], parts, strict=True)
    ]
    return Gallery(header["embedding_space"], sort_by_id(people), int(header["version"]))


def _normalize_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length one again, after rounding."""
    lengths = (
        np.linalg.norm(rows, axis=1, keepdims=True) if rows.size else np.ones((len(rows), 1), np.float32)
    )
    return (rows / lengths).astype(np.float32, copy=False)
