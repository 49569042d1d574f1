"""A recipe in TOML becomes frozen values: the input, the network, how to vary, fit and release it."""

from dataclasses import dataclass
from typing import Literal

from models.training.errors import BadRecipe
from vigil.learn.measures import MEASURES
from vigil.predict.card import Channels, Preparation
from vigil.predict.table import Table

Answer = Literal["softmax", "sigmoid"]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A network, layer by layer: conv32 (3x3 and ReLU), pool (halve), mean (over the picture), dense64.

    answer   softmax: one of the labels; sigmoid: the second of two labels, or not
    dropout  share of values left out before each dense layer while learning
    """

    layers: tuple[str, ...]
    answer: Answer
    dropout: float


@dataclass(frozen=True, slots=True)
class Variation:
    """How pictures are changed while learning; each draw lies evenly within plus and minus these.

    shift, zoom          shares of the picture's size
    brightness, contrast shares of the range
    mirror               whether left and right may change places
    """

    shift: float = 0.0
    zoom: float = 0.0
    rotate_deg: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    mirror: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """How to fit.

    score         what early stopping watches on the validation split (vigil.learn.measures)
    patience      epochs without a better score before it stops
    checkpoint_s  the longest time between checkpoints; one is left after each epoch anyway
    """

    epochs: int
    batch: int
    rate: float
    decay: float
    patience: int
    seed: int
    checkpoint_s: float
    score: str = "accuracy"


@dataclass(frozen=True, slots=True)
class Promise:
    """What the release says and must hold.

    precision     share of right answers, on the validation split, among those that reach the threshold
    quality_loss  the most accuracy that 8-bit weights may cost on the validation split
    """

    licence: str
    summary: str
    precision: float
    quality_loss: float


@dataclass(frozen=True, slots=True)
class Recipe:
    """For a classifier of pictures."""

    preparation: Preparation
    drawing: Drawing
    variation: Variation
    plan: Plan
    weighted: bool
    promise: Promise


def classifier(table: Table) -> Recipe:
    """Raises BadCard for what is missing, BadRecipe for what there is not."""
    return Recipe(
        preparation=_preparation(table),
        drawing=Drawing(
            layers=table.texts("network.layers"),
            answer=table.choice("network.answer", ("softmax", "sigmoid")),
            dropout=table.number("network.dropout"),
        ),
        variation=_variation(table),
        plan=plan(table, _score(table)),
        weighted=table.switch("fit.class_weights"),
        promise=Promise(
            licence=table.text("release.licence"),
            summary=table.text("release.summary"),
            precision=table.number("release.precision"),
            quality_loss=table.number("release.quality_loss"),
        ),
    )


def plan(table: Table, score: str) -> Plan:
    """The part that every task's recipe has."""
    return Plan(
        epochs=table.whole("fit.epochs"),
        batch=table.whole("fit.batch"),
        rate=table.number("fit.rate"),
        decay=table.number("fit.decay"),
        patience=table.whole("fit.patience"),
        seed=table.whole("fit.seed"),
        checkpoint_s=table.number("fit.checkpoint_s"),
        score=score,
    )


def _preparation(table: Table) -> Preparation:
    """As in a card; mean and scale are learned from the training pictures."""
    channels: Channels = table.choice("input.channels", ("rgb", "grey"))
    depth = 1 if channels == "grey" else 3
    return Preparation(
        input="image",
        size=table.size("input.size"),
        layout="nchw",
        channels=channels,
        mean=(0.0,) * depth,
        scale=(1.0,) * depth,
        fit=table.choice("input.fit", ("stretch", "pad", "crop")),
        fill=table.whole("input.fill"),
    )


def _variation(table: Table) -> Variation:
    return Variation(
        shift=table.number("vary.shift"),
        zoom=table.number("vary.zoom"),
        rotate_deg=table.number("vary.rotate_deg"),
        brightness=table.number("vary.brightness"),
        contrast=table.number("vary.contrast"),
        mirror=table.switch("vary.mirror"),
    )


def _score(table: Table) -> str:
    score = table.text("fit.score")
    if score not in MEASURES:
        raise BadRecipe(f"fit.score {score!r} is no measure; there are: {', '.join(MEASURES)}")
    return score
