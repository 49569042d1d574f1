"""The task "embedding": faces of known people become an embedding that tells people apart better.

Frozen, only a projection is learned over embeddings that are computed once; with `unfreeze` the backbone too.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from models.training import channels, embedder, quality
from models.training.arcface import ArcFace
from models.training.assignment import Assignment
from models.training.backbone import Backbone, open_backbone
from models.training.channels import Samples
from models.training.crew import Crew
from models.training.embed import EmbeddingLearner, Recipe
from models.training.embedder import Embedder
from models.training.errors import BadData, BadRecipe
from models.training.fit import Fitting
from models.training.graph import Graph
from models.training.interruption import Notice
from models.training.leave import leave
from models.training.progress import Progress
from models.training.prove import answers, prove
from models.training.quantise import quantised
from models.training.searching import found_rate, impostors, searched, searches
from vigil.learn.evaluation import identify

SHOWN = 32
"""Items for proving the export and for the ranges of 8-bit activations."""

Splits = Mapping[str, Samples]


def learn(job: Assignment, *, crew: Crew, notice: Notice, progress: Progress) -> None:
    """Fit, export, prove, make smaller if it may be, measure before and after, and leave the release."""
    recipe = Recipe.read(job.recipe)
    home = job.folders.channel("backbone")
    backbone = open_backbone(home) if home.is_dir() else None
    if job.unfreeze and backbone is None:
        raise BadRecipe("unfreeze needs a channel named backbone")
    splits = {name: _values(job, name, backbone) for name in ("train", "validation", "test")}
    _check_apart(splits)
    learner = _learner(job, recipe, backbone, splits, crew)
    fitting = Fitting(learner, recipe.plan, key=job.key, crew=crew, checkpoints=job.folders.checkpoints)
    fitting.run(notice, progress)
    if not crew.leads:
        return
    trained, difference = _exported(learner, backbone, splits["train"])
    shown = {name: _shown(job, name, samples, backbone) for name, samples in splits.items()}
    model, loss = _smaller(trained, shown, splits["validation"].labels, recipe.quality_loss)
    card = _card(job, recipe, backbone, learner)
    card["training"] |= {
        "export_difference": difference,
        "int8": model is not trained,
        "int8_loss": round(loss, 4),
    }
    card |= _measured(answers(model, shown["test"]), splits["test"], backbone if job.unfreeze else None)
    leave(job.folders.result / job.model, model, card)
    told = {name: value for name, value in card["quality"].items() if isinstance(value, float)}
    progress.say("finished", **told)


def _values(job: Assignment, name: str, backbone: Backbone | None) -> Samples:
    """Vectors as given; or pictures as the backbone takes them, or if it is frozen what it makes of them."""
    folder = job.folders.channel(name)
    if backbone is None:
        return channels.read(folder, None)
    samples = channels.read(folder, backbone.plain)
    inputs = backbone.inputs(samples.values)
    values = inputs if job.unfreeze else answers(backbone.model, inputs)
    return Samples(values, samples.labels, samples.groups, samples.slices)


def _check_apart(splits: Splits) -> None:
    """Raises BadData where a person is in two splits: what is measured would be what was learned."""
    for one, other in combinations(splits, 2):
        shared = sorted(set(splits[one].labels) & set(splits[other].labels))
        if shared:
            raise BadData(f"{len(shared)} people are in both {one} and {other}, such as {shared[0]!r}")


def _learner(
    job: Assignment, recipe: Recipe, backbone: Backbone | None, splits: Splits, crew: Crew
) -> EmbeddingLearner:
    train = splits["train"]
    thawed = Graph(backbone.model) if backbone is not None and job.unfreeze else None
    length = train.values.shape[1] if backbone is None else backbone.length
    head = ArcFace(len(set(train.labels)), length, margin_rad=recipe.margin_rad, scale=recipe.scale)
    module = Embedder(thawed, Graph(embedder.projection(length)), head, recipe.pull)
    return EmbeddingLearner(
        module, train, splits["validation"], backbone_share=recipe.backbone_share, device=crew.device
    )


def _exported(
    learner: EmbeddingLearner, backbone: Backbone | None, train: Samples
) -> tuple[onnx.ModelProto, float]:
    """One graph of all, and how far what was learned in it is from what was trained."""
    after, thawed = learner.module.projection.written(), learner.module.backbone
    learned = after if thawed is None else embedder.joined(thawed.written(), after)
    shown = train.values[:SHOWN]
    difference = prove(learned, shown, learner.embed(shown))
    whole = backbone is not None and thawed is None
    return (embedder.joined(backbone.model, after) if whole and backbone else learned), difference


def _shown(job: Assignment, name: str, samples: Samples, backbone: Backbone | None) -> NDArray[np.float32]:
    """A split as the whole graph takes it; a frozen backbone's pictures were only kept as its vectors."""
    if backbone is None or job.unfreeze:
        return np.asarray(samples.values, np.float32)
    return backbone.inputs(channels.read(job.folders.channel(name), backbone.plain).values)


def _smaller(
    model: onnx.ModelProto, shown: Mapping[str, NDArray[np.float32]], people: tuple[str, ...], most: float
) -> tuple[onnx.ModelProto, float]:
    """8 bits, unless they cost more than the recipe allows; and the share of people not found any more."""
    small = quantised(model, shown["train"][:SHOWN])
    before, after = (
        found_rate(searches(answers(one, shown["validation"]), people)) for one in (model, small)
    )
    lighter = small.ByteSize() < model.ByteSize()
    return (small if lighter and before - after <= most else model), before - after


def _measured(after: NDArray[np.float32], test: Samples, thawed: Backbone | None) -> dict[str, Any]:
    """Quality on the test split, before and after, and the new scores of impostors.

    after   what the graph that ships makes of it
    thawed  what made vectors of the test split's pictures before; None where it holds vectors
    """
    before = test.values if thawed is None else answers(thawed.model, test.values)
    rates, cosines = impostors(after, test.labels)
    return {
        "quality": {**_quality(after, test), "before": _quality(before, test)},
        "calibration": {"fmr": rates, "cosine": cosines},
    }


def _quality(vectors: NDArray[np.float32], test: Samples) -> dict[str, Any]:
    slices = {name: tuple(values[n] for n in searched(test.labels)) for name, values in test.slices.items()}
    return quality.of_search(identify(searches(vectors, test.labels), slices), "test")


def _card(
    job: Assignment, recipe: Recipe, backbone: Backbone | None, learner: EmbeddingLearner
) -> dict[str, Any]:
    """The backbone's, with what is new; where it came from no longer holds, since these are other bytes."""
    length = learner.module.head.centres.shape[1]
    plain = {
        "pipeline": {"kind": "part"},
        "input": {"name": "vectors"},
        "output": {"vector": embedder.OUTPUT, "length": length},
        "licence": {"spdx": recipe.licence},
    }
    held = plain if backbone is None else dict(backbone.card.values)
    return {
        **{name: table for name, table in held.items() if name not in ("source", "quality")},
        "model": {"name": job.model, "version": job.data, "summary": f"a vector of {length} for one face"},
        "network": {"file": "model.onnx", "threads": 1},
        "training": job.origin(seed=recipe.plan.seed, unfrozen=job.unfreeze),
    }
