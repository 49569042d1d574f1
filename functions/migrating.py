"""Builds what a further release of the kept model needs: everybody enrolled in it, and an examination."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from functions.enrolling import ensemble, faces, galleries, people, templates
from functions.wiring import now
from vigil.faces.enrol import embed_again
from vigil.faces.galleries import Galleries
from vigil.faces.gallery import Person
from vigil.faces.lineup import measured
from vigil.flow.migrate import Migration
from vigil.learn.interval import Interval
from vigil.seeing import Model, Portrait


def migration(release: str, go_on: Callable[[], bool]) -> Migration[Galleries]:
    """Everybody enrolled for a release too, as long as there is time."""
    return Migration(
        photos=templates(),
        gallery=galleries,
        people=Galleries.everybody,
        lacking=Galleries.lacking,
        whole=lambda known, space: space in known.of and space not in known.growing,
        embed=partial(_embedded, release),
        grown=_grown,
        commit=lambda base, gallery, at: people().withdraw(base=base, gallery=gallery, now=at),
        go_on=go_on,
        clock=now,
    )


def examined(candidate: Model) -> tuple[Interval, Interval]:
    """How often a release finds who is enrolled, and how much more often than the active one.

    Raises TooFew.
    """
    lineup = [
        (person, photo.portrait)
        for person in galleries().everybody()
        for photo in templates().of(person)
        if photo.portrait is not None
    ]
    return measured(faces(candidate), faces(ensemble().active()), lineup)


def _embedded(release: str, portrait: Portrait) -> NDArray[np.float32]:
    return embed_again(portrait, faces(ensemble().get(release)))


def _grown(
    known: Galleries, space: str, found: Mapping[str, Sequence[NDArray[np.float32]]], whole: bool
) -> Galleries:
    gallery = known.inside(space)
    for person, vectors in found.items():
        gallery = gallery.with_person(Person(person, np.stack(vectors), known.tags(person)))
    return known.with_one(gallery, whole=whole)
