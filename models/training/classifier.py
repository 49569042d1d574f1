"""The task "classifier": labelled pictures become a release that a shelf can serve at once."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from models.training import channels, quality
from models.training.assignment import Assignment
from models.training.channels import ACCEPTS, Samples
from models.training.classify import ClassifierLearner, Loss, class_weights, scored
from models.training.crew import Crew
from models.training.decide import temperature, threshold
from models.training.drawing import draw
from models.training.errors import BadRecipe
from models.training.fit import Fitting
from models.training.graph import Graph
from models.training.interruption import Notice
from models.training.leave import leave
from models.training.progress import Progress
from models.training.prove import answers, prove
from models.training.quantise import quantised
from models.training.recipe import Recipe, classifier
from vigil.learn.evaluation import evaluate
from vigil.learn.measures import counted

SHOWN = 64
"""Pictures for proving the export and for the ranges of 8-bit activations."""


def learn(job: Assignment, *, crew: Crew, notice: Notice, progress: Progress) -> None:
    """Fit, calibrate, export, prove, make smaller if it may be, measure, and leave the release."""
    recipe = classifier(job.recipe)
    train, validation = (_split(job, name, recipe) for name in ("train", "validation"))
    learner = _learner(recipe, train, validation, crew)
    fitting = Fitting(learner, recipe.plan, key=job.key, crew=crew, checkpoints=job.folders.checkpoints)
    fitting.run(notice, progress)
    if not crew.leads:
        return
    _calibrate(learner, validation)
    trained = learner.module.graph.written()
    shown = _first(train, SHOWN)
    inputs = learner.inputs(shown).numpy()
    difference = prove(trained, inputs, learner.logits(shown).numpy())
    model, loss = _smaller(trained, inputs, learner, validation, recipe)
    said = answers(model, learner.inputs(validation).numpy())
    least = threshold(scored(said, validation, learner.labels), recipe.promise.precision)
    card = _card(job, recipe, learner, least)
    card["training"] |= {
        "export_difference": difference,
        "int8": model is not trained,
        "int8_loss": round(loss, 4),
    }
    card["quality"] = _quality(job, recipe, learner, model, least)
    leave(job.folders.result / job.model, model, card)
    told = {name: value for name, value in card["quality"].items() if isinstance(value, float)}
    progress.say("finished", **told)


def _split(job: Assignment, name: str, recipe: Recipe) -> Samples:
    return channels.read(job.folders.channel(name), recipe.preparation)


def _learner(recipe: Recipe, train: Samples, validation: Samples, crew: Crew) -> ClassifierLearner:
    labels = tuple(sorted(set(train.labels)))
    sigmoid = recipe.drawing.answer == "sigmoid"
    if len(labels) < 2 or (sigmoid and len(labels) != 2):
        raise BadRecipe(
            f"{recipe.drawing.answer} cannot answer with {len(labels)} labels: {', '.join(labels)}"
        )
    _, depth, height, width = train.values.shape
    drawn = draw(
        recipe.drawing,
        shape=(depth, height, width),
        outputs=1 if sigmoid else len(labels),
        seed=recipe.plan.seed,
    )
    weights = class_weights(train.truth(labels), len(labels))
    weights = weights if recipe.weighted else np.ones_like(weights)
    loss = Loss(Graph(drawn), recipe.drawing.answer, weights)
    learner = ClassifierLearner(loss, train=train, validation=validation, labels=labels, device=crew.device)
    learner.variation, learner.score = recipe.variation, recipe.plan.score
    return learner


def _calibrate(learner: ClassifierLearner, validation: Samples) -> None:
    """Fold the temperature into the last layer."""
    divisor = temperature(learner.logits(validation).numpy(), validation.truth(learner.labels))
    for name in ("answer.weight", "answer.bias"):
        weight = learner.module.graph.weight(name)
        weight.data /= divisor


def _smaller(
    model: onnx.ModelProto,
    inputs: NDArray[np.float32],
    learner: ClassifierLearner,
    validation: Samples,
    recipe: Recipe,
) -> tuple[onnx.ModelProto, float]:
    """8 bits, unless they cost more than the recipe allows; and what they cost in accuracy."""
    small = quantised(model, inputs)
    seen = learner.inputs(validation).numpy()
    before, after = (
        counted(scored(answers(one, seen), validation, learner.labels)).accuracy for one in (model, small)
    )
    loss = before - after
    lighter = small.ByteSize() < model.ByteSize()
    return (small if lighter and loss <= recipe.promise.quality_loss else model), loss


def _quality(
    job: Assignment, recipe: Recipe, learner: ClassifierLearner, model: onnx.ModelProto, least: float
) -> dict[str, Any]:
    """On the test split; on validation, and saying so, where there is none."""
    name = "test" if job.folders.channel("test").is_dir() else "validation"
    samples = _split(job, name, recipe)
    said = answers(model, learner.inputs(samples).numpy())
    found = evaluate(scored(said, samples, learner.labels, least))
    return quality.of_classifier(found, name)


def _card(job: Assignment, recipe: Recipe, learner: ClassifierLearner, least: float) -> dict[str, Any]:
    prepared, light = recipe.preparation, learner.lighting
    sigmoid = recipe.drawing.answer == "sigmoid"
    return {
        "model": {"name": job.model, "version": job.data, "summary": recipe.promise.summary},
        "pipeline": {"kind": "classifier"},
        "accepts": {
            "suffixes": sorted(ACCEPTS.suffixes),
            "formats": ACCEPTS.formats,
            "max_bytes": ACCEPTS.max_bytes,
            "max_pixels": ACCEPTS.max_pixels,
            "ground": ACCEPTS.ground,
        },
        "network": {"file": "model.onnx", "threads": 1},
        "input": {
            "name": prepared.input,
            "layout": prepared.layout,
            "size": list(prepared.size or ()),
            "channels": prepared.channels,
            "mean": light.mean,
            "scale": light.scale,
            "fit": prepared.fit,
            "fill": prepared.fill,
        },
        "output": {
            "name": "logits",
            "head": recipe.drawing.answer,
            "labels": learner.labels[1:] if sigmoid else learner.labels,
            "threshold": round(least, 6),
            "keep": 1,
        },
        "licence": {"spdx": recipe.promise.licence},
        "training": job.origin(seed=recipe.plan.seed, layers=recipe.drawing.layers),
    }


def _first(samples: Samples, count: int) -> Samples:
    return replace(
        samples, values=samples.values[:count], labels=samples.labels[:count], groups=(), slices={}
    )
