"""Galleries: enrolled people with their templates, the search for candidates, and the stored snapshot."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigil.errors import InvalidConfiguration
from vigil.faces.int8_search import TemplateIndex
from vigil.inference.types import DEFAULT_GALLERY


@dataclass(frozen=True, slots=True, eq=False)
class EnrolledPerson:
    """One enrolled person.

    templates  (T, D) float32, unit rows, T >= 1: one for each accepted enrolment photo
    tags       such as the person's watch lists
    """

    id: str
    templates: NDArray[np.float32]
    tags: frozenset[str] = frozenset()


INDEXED_ROWS = 4096
"""From so many templates on, a TemplateIndex selects candidates; below, the plain product is as fast."""

CANDIDATE_ROWS = 50
"""Templates of each probe whose exact cosine is computed after the selection."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """The person most similar to one probe, and the next person.

    index            in `Gallery.people`
    score            cosine to the person's best template, -1 to 1
    runner_up        cosine to the best template of all other people; -1 if there are none
    runner_up_index  in `Gallery.people`; `index` if there is nobody else
    """

    index: int
    score: float
    runner_up: float
    runner_up_index: int


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """An immutable set of people in one embedding space; each update returns one with the next version.

    matrix      (T, D) float32, unit rows: all templates in the order of `people`
    first_rows  (P,) int64, index of each person's first row in `matrix`
    """

    embedding_space: str
    people: tuple[EnrolledPerson, ...] = ()
    version: int = 0
    matrix: NDArray[np.float32] = field(init=False, repr=False)
    first_rows: NDArray[np.int64] = field(init=False, repr=False)
    _index: list[TemplateIndex] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        counts = [len(person.templates) for person in self.people]
        stacked = [np.asarray(person.templates, np.float32) for person in self.people]
        matrix = np.concatenate(stacked) if stacked else np.empty((0, 0), np.float32)
        object.__setattr__(self, "matrix", np.ascontiguousarray(matrix))
        object.__setattr__(self, "first_rows", np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64))

    def __len__(self) -> int:
        """Number of people."""
        return len(self.people)

    def person(self, person_id: str) -> EnrolledPerson | None:
        return next((person for person in self.people if person.id == person_id), None)

    def with_person(self, person: EnrolledPerson) -> Gallery:
        """The gallery with this person, who replaces an entry of the same id."""
        remaining = (existing for existing in self.people if existing.id != person.id)
        return Gallery(self.embedding_space, sort_by_id([*remaining, person]), self.version + 1)

    def without_person(self, person_id: str) -> Gallery:
        """The gallery without this person; a new version also if there is no such person."""
        remaining = tuple(person for person in self.people if person.id != person_id)
        return Gallery(self.embedding_space, remaining, self.version + 1)

    def identify(self, probes: NDArray[np.float32]) -> tuple[Candidate, ...]:
        """The best candidate for each probe; the gallery must not be empty.

        probes  (n, D) float32, unit rows

        Templates times probes is twice as fast for few probes as probes times templates.
        """
        if len(self.matrix) >= INDEXED_ROWS:
            return self._identify_indexed(probes)
        scores = self.matrix @ probes.T
        if len(self.matrix) > len(self.people):
            scores = np.maximum.reduceat(scores, self.first_rows, axis=0)
        return tuple(_best_candidate(column) for column in np.ascontiguousarray(scores.T))

    def _identify_indexed(self, probes: NDArray[np.float32]) -> tuple[Candidate, ...]:
        """The index is built at the first use: many galleries are never searched before the next change."""
        if not self._index:
            self._index.append(TemplateIndex(self.matrix))
        nearest = self._index[0].nearest(probes, CANDIDATE_ROWS)
        return tuple(self._rank(rows, probe) for rows, probe in zip(nearest, probes, strict=True))

    def _rank(self, rows: NDArray[np.int64], probe: NDArray[np.float32]) -> Candidate:
        """The best person of some rows and the next one, by exact cosine.

        rows  (n,) int64, indices in `matrix`; all rows are compared if these are of one person
        """
        scores = self.matrix[rows] @ probe
        owners = np.searchsorted(self.first_rows, rows, side="right") - 1
        best = int(scores.argmax())
        others = scores[owners != owners[best]]
        if not len(others) and len(rows) < len(self.matrix):
            return self._rank(np.arange(len(self.matrix)), probe)
        second = int(np.where(owners == owners[best], -2, scores).argmax())
        return Candidate(
            int(owners[best]), float(scores[best]), float(others.max(initial=-1)), int(owners[second])
        )


def sort_by_id(people: Iterable[EnrolledPerson]) -> tuple[EnrolledPerson, ...]:
    """People sorted by id, so that a snapshot does not depend on the order of enrolment."""
    return tuple(sorted(people, key=lambda person: person.id))


def _best_candidate(scores: NDArray[np.float32]) -> Candidate:
    """
    scores  (P,) float32, -1 to 1, one for each person; the best one is overwritten
    """
    index = int(scores.argmax())
    score = float(scores[index])
    scores[index] = -1
    second = int(scores.argmax())
    return Candidate(index, score, float(scores[second]), second)


@dataclass(frozen=True, slots=True, eq=False)
class GallerySet:
    """One gallery in all embedding spaces in use, immutable, with one version for all of them.

    name               of the gallery, such as "staff"
    snapshot_keys      key of the stored snapshot of each gallery that is unchanged since it was stored
    incomplete_spaces  spaces whose gallery lacks people and is not used for matching yet
    """

    version: int = 0
    by_space: Mapping[str, Gallery] = field(default_factory=dict)
    snapshot_keys: Mapping[str, str] = field(default_factory=dict)
    incomplete_spaces: frozenset[str] = frozenset()
    name: str = DEFAULT_GALLERY

    def for_space(self, space: str) -> Gallery:
        """The gallery of a space; an empty one if there is none."""
        return self.by_space.get(space) or Gallery(space, version=self.version)

    def apply(self, change: Callable[[Gallery], Gallery]) -> GallerySet:
        """The next version, with each gallery changed in the same way."""
        return self._next_version({space: change(gallery) for space, gallery in self.by_space.items()}, {})

    def with_gallery(self, gallery: Gallery, *, complete: bool) -> GallerySet:
        """The next version, with this gallery for its space and the others unchanged."""
        space = gallery.embedding_space
        unchanged_keys = {other: key for other, key in self.snapshot_keys.items() if other != space}
        incomplete = self.incomplete_spaces - {space} if complete else self.incomplete_spaces | {space}
        updated = replace(self, incomplete_spaces=incomplete)
        return updated._next_version({**self.by_space, space: gallery}, unchanged_keys)

    def restricted_to(self, spaces: Collection[str]) -> GallerySet:
        """The next version, without the galleries of other spaces."""
        retained = {space: gallery for space, gallery in self.by_space.items() if space in spaces}
        return self._next_version(
            retained, {space: self.snapshot_keys[space] for space in retained if space in self.snapshot_keys}
        )

    def contains_person(self, person: str) -> bool:
        return any(gallery.person(person) is not None for gallery in self.by_space.values())

    def missing_people(self, space: str) -> tuple[str, ...]:
        """Ids of people who are in another gallery but not in this one, sorted."""
        present = {person.id for person in self.for_space(space).people}
        return tuple(person for person in self.person_ids() if person not in present)

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
        return tuple(sorted({person.id for gallery in self.by_space.values() for person in gallery.people}))

    def tags_for(self, person: str) -> frozenset[str]:
        """A person's tags, which are the same in all galleries."""
        entries = (gallery.person(person) for gallery in self.by_space.values())
        return next((person_entry.tags for person_entry in entries if person_entry is not None), frozenset())

    def _next_version(self, by_space: Mapping[str, Gallery], snapshot_keys: Mapping[str, str]) -> GallerySet:
        version = self.version + 1
        numbered = {
            space: gallery if space in snapshot_keys else replace(gallery, version=version)
            for space, gallery in by_space.items()
        }
        incomplete = self.incomplete_spaces & set(by_space)
        return GallerySet(version, numbered, snapshot_keys, incomplete, self.name)


SNAPSHOT_FORMAT = "vigil-gallery/1"


class InvalidSnapshot(InvalidConfiguration):
    """The bytes are no gallery snapshot of a format that this version reads."""


def serialize_gallery(gallery: Gallery) -> bytes:
    """The gallery's snapshot: a line of JSON, then all templates as one float16 .npy array.

    Equal galleries have equal snapshots. float16 changes a cosine by less than 0.001 and halves the size.
    """
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
    """The gallery of a snapshot, with unit rows. Raises InvalidSnapshot."""
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
    """(n, D) float32: the rows scaled to length 1, which rounding to float16 changes."""
    lengths = (
        np.linalg.norm(rows, axis=1, keepdims=True) if rows.size else np.ones((len(rows), 1), np.float32)
    )
    return (rows / lengths).astype(np.float32, copy=False)
