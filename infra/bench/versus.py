"""The faces model and `face_recognition` on the same photos in turns: how long each takes, who is right."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infra.bench.peer import Peer
from infra.bench.ratios import milliseconds
from infra.cli.places import PHOTOS
from infra.models.photos import fetch_photos
from vigil.faces.gallery import Gallery, Person
from vigil.faces.pipeline import FacesModel

PEER_TOLERANCE = 0.6
"""Euclidean distance: the value that face_recognition uses where its user names none."""

ENROLLED = {"obama": "obama.jpg", "biden": "biden.jpg"}
PROBES = dict.fromkeys(
    ("obama2.jpg", "obama3.jpg", "obama_partial_face.jpg", "obama_partial_face2.jpg"), "obama"
)


@dataclass(frozen=True, slots=True)
class Decisions:
    """On probes of enrolled people, and on faces of strangers."""

    right: int
    wrong_or_missed: int
    strangers_seen: int
    strangers_named: int


@dataclass(frozen=True, slots=True)
class Versus:
    """Per photo, path to embeddings, medians over photos and rounds."""

    times_faster: float
    ours_ms: float
    theirs_ms: float
    ours: Decisions
    theirs: Decisions


def versus(model: FacesModel, rounds: int = 3) -> Versus:
    """On one thread each, the six photographs and the six groups."""
    photos = [PHOTOS / name for name in (*ENROLLED.values(), *PROBES)] + fetch_photos()
    with Peer() as peer:
        pairs = [_pair(model, peer, photo) for _ in range(rounds + 1) for photo in photos][len(photos) :]
        theirs = _their_decisions(peer, photos)
    return Versus(
        times_faster=statistics.median(other / mine for mine, other in pairs),
        ours_ms=statistics.median(mine for mine, _ in pairs),
        theirs_ms=statistics.median(other for _, other in pairs),
        ours=_our_decisions(model, photos),
        theirs=theirs,
    )


def _pair(model: FacesModel, peer: Peer, photo: Path) -> tuple[float, float]:
    return milliseconds(lambda: model.look(photo.read_bytes())), peer.see(photo).ms


def _our_decisions(model: FacesModel, photos: Sequence[Path]) -> Decisions:
    people = [
        Person(name, model.look((PHOTOS / file).read_bytes()).faces[0].vector[np.newaxis])
        for name, file in ENROLLED.items()
    ]
    gallery = Gallery(model.embed, tuple(people))
    return _decided(photos, partial(_our_names, model, gallery))


def _our_names(model: FacesModel, gallery: Gallery, photo: Path) -> list[str | None]:
    verdicts = model.match(model.look(photo.read_bytes()).faces, gallery)
    return [verdict.label if verdict.status == "known" else None for verdict in verdicts]


def _their_decisions(peer: Peer, photos: Sequence[Path]) -> Decisions:
    people = {name: peer.see(PHOTOS / file).encodings[0] for name, file in ENROLLED.items()}
    return _decided(photos, partial(_their_names, peer, people))


def _their_names(peer: Peer, people: dict[str, NDArray[np.float64]], photo: Path) -> list[str | None]:
    names: list[str | None] = []
    for encoding in peer.see(photo).encodings:
        distances = {name: float(np.linalg.norm(encoding - known)) for name, known in people.items()}
        nearest = min(distances, key=lambda name: distances[name])
        names.append(nearest if distances[nearest] <= PEER_TOLERANCE else None)
    return names


def _decided(photos: Sequence[Path], names_in: Callable[[Path], list[str | None]]) -> Decisions:
    probes = [(PROBES[photo.name], names_in(photo)) for photo in photos if photo.name in PROBES]
    strangers = [name for photo in photos if photo.name.startswith("sample") for name in names_in(photo)]
    right = sum(person in names for person, names in probes)
    named = sum(name is not None for name in strangers)
    return Decisions(right, len(probes) - right, len(strangers), named)
