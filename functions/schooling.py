"""What comes before a training job and after it: recipe and data set, and the release that it leaves."""

import hashlib
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from cloud.jobs import Kept
from functions.learning import examination, jobs, labels, library, now, registry, school, states, trainer
from functions.settings import settings
from vigil.errors import VigilError
from vigil.flow.admit import admit, pedigree_of
from vigil.flow.teach import folder, publish, reviewed
from vigil.learn.cost import bill, default_machines
from vigil.learn.dataset import Terms
from vigil.learn.dispatch import Job, again, want
from vigil.learn.parcel import unpack
from vigil.learn.training import Lesson, Place

__all__ = ("Kept", "admitted", "due", "place", "wanted")

MORE_LABELS = 200
"""So many more than at the last lesson, and a model is taught anew."""

LOOK = timedelta(hours=1)


class NoTraining(VigilError):
    """There is no recipe, or no container to train in."""


def wanted(model: str, recipe: str | None) -> Kept:
    """The lesson that the labels of now and the recipe make; the same again is the same job."""
    if not settings().trainer_image:
        raise NoTraining("set the template's parameter TrainerImage to the container of models/training")
    text = recipe or _recipe(model)
    known = list(labels().of(model))
    data = publish(model, known, terms(text), school(), now=now())
    library().put(_recipe_key(model, text), text.encode())
    library().put(f"recipes/{model}.toml", text.encode())
    states().put(f"taught#{model}", {"labels": len(known), "at": now().isoformat()})
    _remember(model)
    parent = registry().lives.book(model).pointers.active or examination().bundled(model)
    lesson = Lesson("classifier", model, data.id, text, parent, settings().trainer_image)
    found = jobs().find(lesson.id)
    kept = replace(found, job=again(found.job, now())) if found else Kept(want(lesson, now()))
    jobs().keep(kept)
    return kept


def due() -> Iterator[Kept]:
    """Models that people have labelled much more of since they were taught; looked for once an hour."""
    row = states().get("schools") or {"models": [], "looked": ""}
    if row["looked"] and now() - datetime.fromisoformat(row["looked"]) < LOOK:
        return
    states().put("schools", row | {"looked": now().isoformat()})
    for model in row["models"]:
        taught = (states().get(f"taught#{model}") or {"labels": 0})["labels"]
        if sum(1 for _ in labels().of(model)) >= taught + MORE_LABELS:
            yield wanted(model, None)


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
    items = reviewed(lesson.model, lesson.data, library())
    lives = registry().lives
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
    seconds = float(told.get("TrainingTimeInSeconds", 0)), float(told.get("BillableTimeInSeconds", 0))
    paid = bill(default_machines()[kept.job.machine], training_s=seconds[0], billable_s=seconds[1])
    return replace(kept, release=standing.life.id, usd=round(paid.usd, 6))


def terms(recipe: str) -> Terms:
    """How a recipe wants its data divided: its table [data], if it has one."""
    asked = tomllib.loads(recipe).get("data", {})
    known = {name: asked[name] for name in ("validation", "test", "near_bits", "salt") if name in asked}
    return Terms(**known)


def _recipe(model: str) -> str:
    key = f"recipes/{model}.toml"
    if not library().has(key):
        raise NoTraining(f"{model} was never taught: give its recipe the first time")
    return library().get(key).decode()


def _recipe_key(model: str, text: str) -> str:
    return f"recipes/{model}/{hashlib.sha256(text.encode()).hexdigest()[:16]}/recipe.toml"


def _remember(model: str) -> None:
    row = states().get("schools") or {"models": [], "looked": ""}
    if model not in row["models"]:
        states().put("schools", row | {"models": sorted([*row["models"], model])})
