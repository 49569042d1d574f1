"""Segments of a gallery: people with their templates in one stored object, and the search among them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vigil.errors import InvalidConfiguration

if TYPE_CHECKING:
    from vigil.faces.int8_search import TemplateIndex

MAX_SEGMENT_TEMPLATES = 65_536
"""A segment of so many templates takes 64 MB, which are written again when a person in it changes."""

INDEXED_ROWS = 4096
"""From so many templates on, a TemplateIndex selects candidates; below, the plain product is as fast."""

CANDIDATE_ROWS = 50
"""Templates of each probe whose exact cosine is computed after the selection."""

SEGMENT_FORMAT = "vigil-gallery/2"
ALIGNMENT = 64
"""The templates begin at a multiple of this."""


@dataclass(frozen=True, slots=True, eq=False)
class EnrolledPerson:
    """One enrolled person.

    templates  (T, D) float32, unit rows, T >= 1: one for each accepted enrolment photo
    tags       such as the person's watch lists
    """

    id: str
    templates: NDArray[np.float32]
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class SegmentCandidates:
    """For each probe the most similar person of a segment, and the next one.

    best, second         (n,) int64, indices of people; -1 if there is no second
    score, second_score  (n,) float32, cosine to their best templates; -1 if there is no second
    """

    best: NDArray[np.int64]
    score: NDArray[np.float32]
    second: NDArray[np.int64]
    second_score: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class GallerySegment:
    """Some people of a gallery, immutable, at least one.

    ids        (P,) bytes in UTF-8, sorted
    counts     (P,) int32, number of templates of each person, >= 1
    templates  (T, D) float16, unit rows up to rounding, in the order of the people
    tags       by index of a person; people without tags are left out
    key        of the stored object; empty before it is stored
    """

    ids: NDArray[np.bytes_]
    counts: NDArray[np.int32]
    templates: NDArray[np.float16]
    tags: Mapping[int, frozenset[str]]
    key: str = ""
    first_rows: NDArray[np.int64] = field(init=False, repr=False)
    _search: list[Any] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        ends = np.cumsum(self.counts, dtype=np.int64)
        object.__setattr__(self, "first_rows", ends - self.counts)

    def __len__(self) -> int:
        """Number of people."""
        return len(self.ids)

    def find(self, person_id: str) -> int | None:
        """The index of a person."""
        encoded = person_id.encode()
        place = int(np.searchsorted(self.ids, np.bytes_(encoded)))
        return place if place < len(self.ids) and self.ids[place] == encoded else None

    def person(self, index: int) -> EnrolledPerson:
        rows = self.templates[self.first_rows[index] : self.first_rows[index] + self.counts[index]]
        tags = self.tags.get(index, frozenset())
        return EnrolledPerson(self.ids[index].decode(), _normalize_rows(rows), tags)

    def without(self, index: int) -> tuple[GallerySegment, ...]:
        """The segment without a person; none if nobody remains."""
        remaining = np.delete(np.arange(len(self)), index)
        return (self._select(remaining),) if len(remaining) else ()

    def candidates(self, probes: NDArray[np.float32]) -> SegmentCandidates:
        """
        probes  (n, D) float32, unit rows
        """
        if len(self.templates) < INDEXED_ROWS:
            return self._candidates_of_all(probes)
        rows = self._index().nearest(probes, CANDIDATE_ROWS)
        templates = _normalize_rows(self.templates[rows.ravel()]).reshape(*rows.shape, -1)
        scores = np.einsum("nkd,nd->nk", templates, probes)
        return self._rank(rows, scores, probes)

    def _candidates_of_all(self, probes: NDArray[np.float32]) -> SegmentCandidates:
        """Templates times probes is twice as fast for few probes as probes times templates."""
        scores = self._unit_templates() @ probes.T
        if len(self.templates) > len(self):
            scores = np.maximum.reduceat(scores, self.first_rows, axis=0)
        return _top_two(scores)

    def nearest_people(self, probe: NDArray[np.float32], count: int) -> list[tuple[float, str]]:
        """The people of the templates most similar to a probe, each with the cosine of the best one.

        probe  (D,) float32, unit length
        count  how many templates
        """
        rows, scores = self._compare(probe, count + CANDIDATE_ROWS)
        best = np.argsort(-scores, kind="stable")[:count]
        owners = np.searchsorted(self.first_rows, rows[best], side="right") - 1
        people, places = np.unique(owners, return_index=True)
        return [
            (float(scores[best[place]]), self.ids[owner].decode())
            for owner, place in zip(people, places, strict=True)
        ]

    def _compare(
        self, probe: NDArray[np.float32], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """At least this number of the most similar rows, or all, with their cosines."""
        if len(self.templates) < INDEXED_ROWS:
            return np.arange(len(self.templates)), self._unit_templates() @ probe
        index = self._index()
        rows = np.arange(len(self.templates))
        if count <= index.max_count:
            rows = index.nearest(probe[None], count)[0]
        return rows, _normalize_rows(self.templates[rows]) @ probe

    def _index(self) -> TemplateIndex:
        if not self._search:
            from vigil.faces.int8_search import TemplateIndex  # noqa: PLC0415 - small galleries need none

            self._search.append(TemplateIndex(self.templates))
        index: TemplateIndex = self._search[0]
        return index

    def _unit_templates(self) -> NDArray[np.float32]:
        if not self._search:
            self._search.append(_normalize_rows(self.templates))
        templates: NDArray[np.float32] = self._search[0]
        return templates

    def _rank(
        self, rows: NDArray[np.int64], scores: NDArray[np.float32], probes: NDArray[np.float32]
    ) -> SegmentCandidates:
        """The best two people of the selected rows.

        rows    (n, k) int64
        scores  (n, k) float32

        If all the rows of a probe are of one person, all people are compared with it.
        """
        every = np.arange(len(rows))
        owners = np.searchsorted(self.first_rows, rows, side="right") - 1
        place = scores.argmax(axis=1)
        best = owners[every, place]
        others = np.where(owners == best[:, None], np.float32(-2), scores)
        next_place = others.argmax(axis=1)
        second, second_score = owners[every, next_place], others[every, next_place]
        for number in np.flatnonzero(second_score < -1):
            found = self._compare_all(probes[number])
            second[number], second_score[number] = found.second[0], found.second_score[0]
        return SegmentCandidates(best, scores[every, place], second, second_score)

    def _compare_all(self, probe: NDArray[np.float32]) -> SegmentCandidates:
        scores = _normalize_rows(self.templates) @ probe
        return _top_two(np.maximum.reduceat(scores, self.first_rows)[:, None])

    def _select(self, people: NDArray[np.int64]) -> GallerySegment:
        """The people of these indices, in this order."""
        counts = self.counts[people]
        starts = np.repeat(self.first_rows[people] - (np.cumsum(counts) - counts), counts)
        rows = starts + np.arange(int(counts.sum()))
        tags = (
            {new: self.tags[old] for new, old in enumerate(people.tolist()) if old in self.tags}
            if self.tags
            else {}
        )
        return GallerySegment(self.ids[people], counts, self.templates[rows], tags)


def build_segments(people: Iterable[EnrolledPerson]) -> tuple[GallerySegment, ...]:
    """The segments of these people, who have different ids."""
    return merge_segments([_segment_of(person) for person in sorted(people, key=lambda one: one.id)])


def merge_segments(segments: Sequence[GallerySegment]) -> tuple[GallerySegment, ...]:
    """As few segments as their limit allows, with the same people."""
    groups: list[list[GallerySegment]] = []
    size = MAX_SEGMENT_TEMPLATES
    for segment in segments:
        if size + len(segment.templates) > MAX_SEGMENT_TEMPLATES:
            groups.append([])
            size = 0
        groups[-1].append(segment)
        size += len(segment.templates)
    return tuple(map(_concatenate, groups))


def add_segment(segments: Sequence[GallerySegment], new: GallerySegment) -> tuple[GallerySegment, ...]:
    """The segments with a further one, merged so that each has at least twice the templates of the next.

    A template is written again once each time that its segment doubles, and there are few segments.
    """
    ordered = sorted([*segments, new], key=lambda one: len(one.templates), reverse=True)
    while len(ordered) > 1:
        larger, last = (len(one.templates) for one in ordered[-2:])
        if larger >= 2 * last or larger + last > MAX_SEGMENT_TEMPLATES:
            break
        ordered[-2:] = [_concatenate(ordered[-2:])]
    return tuple(ordered)


def _segment_of(person: EnrolledPerson) -> GallerySegment:
    templates = np.asarray(person.templates).astype(np.float16)
    ids = np.array([person.id.encode()])
    return GallerySegment(
        ids, np.array([len(templates)], np.int32), templates, {0: person.tags} if person.tags else {}
    )


def _concatenate(segments: Sequence[GallerySegment]) -> GallerySegment:
    if len(segments) == 1:
        return segments[0]
    offsets = np.cumsum([0, *(len(one) for one in segments)]).tolist()
    joined = GallerySegment(
        np.concatenate([one.ids for one in segments]),
        np.concatenate([one.counts for one in segments]),
        np.concatenate([one.templates for one in segments]),
        {
            start + index: tags
            for start, one in zip(offsets, segments, strict=False)
            for index, tags in one.tags.items()
        },
    )
    return joined._select(np.argsort(joined.ids, kind="stable"))


def _top_two(scores: NDArray[np.float32]) -> SegmentCandidates:
    """
    scores  (P, n) float32, -1 to 1, of each person and probe; the best are overwritten
    """
    every = np.arange(scores.shape[1])
    best = scores.argmax(axis=0)
    score = scores[best, every]
    scores[best, every] = -1
    second = scores.argmax(axis=0)
    second_score = scores[second, every]
    return SegmentCandidates(best, score, np.where(second == best, -1, second), second_score)


def _normalize_rows(rows: NDArray[np.float16]) -> NDArray[np.float32]:
    """(n, D) float32: the rows scaled to length 1, which rounding to float16 changes."""
    exact = rows.astype(np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", exact, exact))
    exact /= np.maximum(lengths, 1e-6)[:, None]
    return exact


class InvalidSnapshot(InvalidConfiguration):
    """The bytes are no gallery segment of a format that this version reads."""


def serialize_segment(segment: GallerySegment, embedding_space: str) -> bytes:
    """A line of JSON, then templates, counts and ids as arrays; equal segments have equal bytes.

    float16 changes a cosine by less than 0.001 and halves the size.
    """
    header = {
        "format": SEGMENT_FORMAT,
        "embedding_space": embedding_space,
        "people": len(segment),
        "templates": segment.templates.shape,
        "id_bytes": segment.ids.itemsize,
        "tags": {str(index): sorted(tags) for index, tags in sorted(segment.tags.items())},
    }
    line = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    line += b" " * (-(len(line) + 1) % ALIGNMENT) + b"\n"
    return b"".join([line, segment.templates.tobytes(), segment.counts.tobytes(), segment.ids.tobytes()])


def deserialize_segment(data: bytes, key: str = "") -> tuple[str, GallerySegment]:
    """The embedding space and the segment, whose arrays are views of the bytes. Raises InvalidSnapshot."""
    try:
        return _parse_segment(data, key)
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidSnapshot(f"not a gallery segment: {error}") from error


def _parse_segment(data: bytes, key: str) -> tuple[str, GallerySegment]:
    start = data.index(b"\n") + 1
    header: dict[str, Any] = json.loads(data[:start])
    if header["format"] != SEGMENT_FORMAT:
        raise InvalidSnapshot(
            f"gallery segment of format {header['format']!r}, this version reads {SEGMENT_FORMAT!r}"
        )
    people, (rows, columns), width = header["people"], header["templates"], header["id_bytes"]
    counts_at = start + 2 * rows * columns
    templates = np.frombuffer(data, np.float16, rows * columns, start).reshape(rows, columns)
    counts = np.frombuffer(data, np.int32, people, counts_at)
    ids = np.frombuffer(data, f"S{width}", people, counts_at + counts.nbytes)
    if int(counts.sum()) != rows or counts_at + counts.nbytes + ids.nbytes != len(data):
        raise ValueError(f"{len(data)} bytes, {rows} templates, {people} people with {counts.sum()}")
    tags = {int(index): frozenset(names) for index, names in header["tags"].items()}
    return header["embedding_space"], GallerySegment(ids, counts, templates, tags, key)
