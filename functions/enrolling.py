"""Builds what keeps people: enrolment, the galleries in force, and the releases that they are kept for."""

from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

from cloud.people import DynamoPeople
from cloud.store import Store
from functions.settings import settings
from functions.wiring import client, now
from vigil.faces import snapshot
from vigil.faces.galleries import Galleries
from vigil.faces.gallery import Gallery

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cloud.templates import DynamoTemplates
    from vigil.faces.enrol import AnotherFace, Template
    from vigil.faces.pipeline import FacesModel
    from vigil.flow.enrol import Desk
    from vigil.flow.ensemble import Ensemble
    from vigil.seeing import Model


@dataclass(frozen=True, slots=True)
class Counter:
    """Where people are enrolled."""

    bucket: str
    ports: "Desk[Galleries, Template]"


@cache
def desk() -> Counter:
    """Enrolment, against the galleries as they are this moment."""
    from cloud.objects import S3Objects
    from vigil.faces.enrol import dress
    from vigil.flow.enrol import Desk

    ports = Desk(
        people=people(),
        gallery=_begun,
        examine=_examined,
        strays=_strays,
        grow=_grown,
        dress=lambda known, person, tags: known.changed(lambda one: dress(one, person, tags)),
        fetch=lambda photo: S3Objects(client("s3")).fetch(photo, _active().max_bytes),
        erase=store().erase,
        clock=now,
    )
    return Counter(settings().store_bucket, ports)


@cache
def people() -> DynamoPeople[Galleries]:
    """Everybody enrolled; a gallery is kept as a snapshot a space."""
    return DynamoPeople(client("dynamodb"), settings().people_table, store=_stored)


def galleries() -> Galleries:
    """All that is in force, read consistently."""
    now = people().in_force()
    return Galleries(
        now.version, {space: _loaded(key) for space, key in now.keys.items()}, now.keys, now.growing
    )


@cache
def ensemble() -> "Ensemble":
    """The releases that people are kept for."""
    from cloud.depot import Depot
    from functions.registers import lives
    from functions.wiring import shelf
    from vigil.flow.ensemble import Ensemble
    from vigil.predict.fetched import Fetched, Workshop

    env, bundled = settings(), shelf(0.0)
    workshop = Workshop(
        folder=Path(gettempdir()) / "kept",
        fetch=Depot(client("s3"), env.store_bucket).fetch,
        pipelines=bundled.pipelines,
    )
    return Ensemble(
        env.kept_model,
        bundled=bundled,
        book=partial(lives().book, env.kept_model),
        opened=partial(Fetched(workshop).opened, env.kept_model),
    )


@cache
def templates() -> "DynamoTemplates":
    """What is kept of each enrolment photo."""
    from cloud.templates import DynamoTemplates

    return DynamoTemplates(client("dynamodb"), settings().people_table)


def faces(model: "Model") -> "FacesModel":
    """As what it is."""
    from vigil.faces.pipeline import FacesModel

    if not isinstance(model, FacesModel):
        raise TypeError("the card of models/faces must name the pipeline faces")
    return model


def _active() -> "FacesModel":
    return faces(ensemble().active())


def _begun() -> Galleries:
    """What is in force; before anybody is enrolled, an empty gallery for each release in use."""
    known = galleries()
    if known.of:
        return known
    return replace(known, of={one.embed: Gallery(one.embed) for one in map(faces, ensemble().all())})


def _examined(photo: bytes, known: Galleries, person: str) -> "Template":
    """For the active release, and for each other that has a gallery."""
    from vigil.faces.enrol import examine, widened

    active, *others = (faces(model) for model in ensemble().all())
    template = examine(photo, model=active, person=person, gallery=known.inside(active.embed))
    further = [one for one in others if one.embed in known.of and one.embed != active.embed]
    template = widened(template, further)
    return template if settings().keep_portraits else replace(template, portrait=None)


def _strays(known: Galleries, person: str, found: "Sequence[Template]") -> "Mapping[int, AnotherFace]":
    from vigil.faces.enrol import strays

    active = _active()
    return strays(known.inside(active.embed), person, found, active.settings.enrol_alike)


def _grown(known: Galleries, person: str, found: "Sequence[Template]", tags: frozenset[str]) -> Galleries:
    from vigil.faces.enrol import grow

    return known.changed(lambda one: one if known.awaits(one, person) else grow(one, person, found, tags))


def _stored(known: Galleries) -> dict[str, str]:
    """By space, where each gallery lies; what is not stored as it is, is stored now."""
    return {
        space: known.keys.get(space) or store().put_gallery(known.version, snapshot.to_bytes(gallery))
        for space, gallery in known.of.items()
    }


@lru_cache(maxsize=4)
def _loaded(key: str) -> Gallery:
    """A snapshot is never changed under its key."""
    return snapshot.from_bytes(store().get(key))


@cache
def store() -> Store:
    return Store(client("s3"), settings().store_bucket)
