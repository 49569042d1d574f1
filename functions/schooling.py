"""What comes before a training job and after it: recipe and data set, and the release that it leaves."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from cloud.jobs import Kept
from functions import drifting
from functions.learning import (
    examination,
    jobs,
    labels,
    library,
    now,
    registry,
    school,
    states,
    stock,
    trainer,
)
from functions.migrating import examined
from functions.settings import settings
from vigil.errors import VigilError
from vigil.flow.admit import admit, pedigree_of
from vigil.flow.prune import folder, out_of_time, prune, stored
from vigil.flow.teach import publish, reviewed, withdrawn
from vigil.learn.cost import bill, default_machines
from vigil.learn.dataset import Terms
from vigil.learn.dispatch import Job, again, want
from vigil.learn.occasion import Occasion, due
from vigil.learn.parcel import unpack
from vigil.learn.pedigree import Pedigree
from vigil.learn.release import register
from vigil.learn.sketch import sketched
from vigil.learn.stages import Standing
from vigil.learn.training import Lesson, Place
from vigil.steady.haste import hastened

__all__ = ("Kept", "admitted", "offered", "overdue", "place", "wanted")


LOST = timedelta(minutes=30)
"""A model that has drifted for so long, and no lesson came of it: the alarm was lost."""

TIDY = timedelta(hours=1)
"""Stored data sets are looked through no more often."""


class NoTraining(VigilError):
    """There is no recipe, or no container to train in."""


def wanted(model: str, recipe: str | None) -> Kept:
    """The lesson that the labels of now and the recipe make; the same again is the same job."""
    if not settings().trainer_image:
        raise NoTraining("set the template's parameter TrainerImage to the container of models/training")
    at, text = now(), recipe or _recipe(model)
    data = publish(model, labels().of(model), terms(text), school(), now=at)
    library().put(_recipe_key(model, text), text.encode())
    library().put(f"recipes/{model}.toml", text.encode())
    states().put(f"taught#{model}", {"data": data.id, "at": at.isoformat()})
    _remember(model)
    lesson = Lesson("classifier", model, data.id, text, _parent(model), settings().trainer_image)
    found = jobs().find(lesson.id)
    kept = replace(found, job=again(found.job, now())) if found else Kept(want(lesson, now()))
    jobs().keep(kept)
    return kept


def overdue() -> Iterator[str]:
    """Models that people have labelled much of since they were taught."""
    occasion = hastened(Occasion(), settings().minute)
    for model in _taught():
        since = datetime.fromisoformat((states().get(f"taught#{model}") or {})["at"])
        if due([label.at for label in labels().of(model, since)], occasion, now(), taught=since):
            yield model


def drifted(patience: timedelta = timedelta(0)) -> Iterator[str]:
    """Models that have drifted for so long, that can be taught, and were not lately."""
    taught, pause = _taught(), drifting.terms().pause
    for model, one in drifting.measured().items():
        began = drifting.began(model, one)
        if began is None or now() - began < patience or model not in taught:
            continue
        since = datetime.fromisoformat((states().get(f"taught#{model}") or {})["at"])
        if now() - since >= pause and not any(kept.open for kept in jobs().of(model)):
            yield model


def tidied() -> int:
    """Take out of stored data sets, once an hour, what may no longer be learned from; how much."""
    row = states().get("tidied") or {"looked": ""}
    if row["looked"] and now() - datetime.fromisoformat(row["looked"]) < TIDY:
        return 0
    at, held, register = now(), stock(), school().register
    states().put("tidied", {"looked": at.isoformat()})
    return sum(
        prune(model, data, lambda entry: out_of_time(entry, at) or withdrawn(register, entry), held, now=at)
        for model, data in stored(held.library)
    )


def place(job: Job) -> Place:
    """Where a job's channels lie and its results go."""
    lesson, shelf = job.lesson, library()
    return Place(
        data=shelf.url(folder(lesson.model, lesson.data)),
        recipe=shelf.url(_recipe_key(lesson.model, lesson.recipe).removesuffix("recipe.toml")),
        output=shelf.url("jobs"),
        checkpoints=shelf.url("checkpoints"),
    )


def admitted(kept: Kept) -> Kept:
    """What a job left, examined and on record. Raises VigilError."""
    lesson, told = kept.job.lesson, trainer().describe(kept.job.name)
    left = library().get(library().key(told["ModelArtifacts"]["S3ModelArtifacts"]))
    files = unpack(left, lesson.model)
    recipe = hashlib.sha256(lesson.recipe.encode()).hexdigest()
    pedigree = pedigree_of(lesson.model, files, parent=lesson.parent, data=lesson.data, recipe=recipe)
    standing = _examined(pedigree, files, lesson.data)
    seconds = float(told.get("TrainingTimeInSeconds", 0)), float(told.get("BillableTimeInSeconds", 0))
    paid = bill(default_machines()[kept.job.machine], training_s=seconds[0], billable_s=seconds[1])
    return replace(kept, release=standing.life.id, usd=round(paid.usd, 6), seconds=seconds[0])


def offered(model: str, parcel: str) -> Standing:
    """A release that was made elsewhere, through the same examination as any. Raises VigilError."""
    if model == settings().kept_model:
        return _lined_up(model, unpack(library().get(parcel), model))
    if model not in _taught():
        raise NoTraining(f"{model} was never taught here: there is no reviewed set to examine it on")
    data = (states().get(f"taught#{model}") or {})["data"]
    files = unpack(library().get(parcel), model)
    pedigree = pedigree_of(model, files, parent=_parent(model), data=data, recipe=None)
    return _examined(pedigree, files, data)


def _lined_up(model: str, files: Mapping[str, bytes]) -> Standing:
    """A release whose outputs are compared with one another is examined on what is kept."""
    pedigree = pedigree_of(model, files, parent=_parent(model), data=None, recipe=None)
    examination().put(pedigree, files)
    standing = Standing(
        register(model, pedigree.id, now()), *examined(examination().model(model, pedigree.id))
    )
    bundled = examination().bundled(model)
    registry().lives.register(standing, bundled=bundled, data="", parent=pedigree.parent)
    return standing


def terms(recipe: str) -> Terms:
    """How a recipe wants its data divided: its table [data], if it has one."""
    asked = tomllib.loads(recipe).get("data", {})
    known = {name: asked[name] for name in ("validation", "test", "near_bits", "salt") if name in asked}
    return Terms(**known)


def _examined(pedigree: Pedigree, files: Mapping[str, bytes], data: str) -> Standing:
    """On record, measured beside the active release on what was held out; that is what it is to see later."""
    lives, items = registry().lives, reviewed(pedigree.model, data, library())
    standing = admit(
        pedigree,
        files,
        items,
        shelves=examination(),
        keep=lambda new, bundled, data, parent: lives.register(
            new, bundled=bundled, data=data or "", parent=parent
        ),
        now=now(),
    )
    model = examination().opened(pedigree.model, pedigree.id)
    seen = (one for _, data in items for one in model.see(data, {}, lambda _: None).sightings)
    drifting.remember(pedigree.model, pedigree.id, sketched(seen))
    return standing


def _parent(model: str) -> str | None:
    """What a new release has to be better than."""
    return registry().lives.book(model).pointers.active or examination().bundled(model)


def _taught() -> list[str]:
    """The models that had a lesson here."""
    return list((states().get("schools") or {"models": []})["models"])


def _recipe(model: str) -> str:
    key = f"recipes/{model}.toml"
    if not library().has(key):
        raise NoTraining(f"{model} was never taught: give its recipe the first time")
    return library().get(key).decode()


def _recipe_key(model: str, text: str) -> str:
    return f"recipes/{model}/{hashlib.sha256(text.encode()).hexdigest()[:16]}/recipe.toml"


def _remember(model: str) -> None:
    known = _taught()
    if model not in known:
        states().put("schools", {"models": sorted([*known, model])})
