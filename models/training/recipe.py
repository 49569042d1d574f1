"""A recipe in TOML becomes frozen values: the input, the network, how to vary, fit and release it."""

from dataclasses import dataclass
from typing import Literal

from models.evaluation.metrics import METRIC_NAMES
from models.training.errors import InvalidRecipe
from vigil.inference.card import Channels, Preprocessing, TomlReader

OutputHead = Literal["softmax", "sigmoid"]


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network, layer by layer: conv32 (3x3 and ReLU), pool (halve), mean (over the picture), dense64.

    head     softmax: one of the labels; sigmoid: the second of two labels, or not
    dropout  share of values left out before each dense layer while learning
    """

    layers: tuple[str, ...]
    head: OutputHead
    dropout: float


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How pictures are changed while learning; each draw lies evenly within plus and minus these.

    translate, zoom      shares of the picture's size
    brightness, contrast shares of the range
    horizontal_flip      whether left and right may change places
    """

    translate: float = 0.0
    zoom: float = 0.0
    rotate_deg: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    horizontal_flip: bool = False


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How to fit.

    score         what early stopping watches on the validation split (vigil.training.measures)
    patience      epochs without a better score before it stops
    checkpoint_s  the longest time between checkpoints; one is left after each epoch anyway
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    patience: int
    seed: int
    checkpoint_interval_s: float
    metric: str = "accuracy"


@dataclass(frozen=True, slots=True)
class ReleaseSpec:
    """What the release says and must hold.

    precision     share of right answers, on the validation split, among those that reach the threshold
    quality_loss  the most accuracy that 8-bit weights may cost on the validation split
    """

    licence: str
    summary: str
    min_precision: float
    max_quality_loss: float


@dataclass(frozen=True, slots=True)
class ClassifierRecipe:
    """For a classifier of pictures."""

    preprocessing: Preprocessing
    network: NetworkSpec
    augmentation: Augmentation
    fit: FitSettings
    use_class_weights: bool
    release: ReleaseSpec


def parse_classifier_recipe(table: TomlReader) -> ClassifierRecipe:
    """Raises BadCard for what is missing, BadRecipe for what there is not."""
    return ClassifierRecipe(
        preprocessing=_parse_preprocessing(table),
        network=NetworkSpec(
            layers=table.get_strs("network.layers"),
            head=table.get_choice("network.head", ("softmax", "sigmoid")),
            dropout=table.get_float("network.dropout"),
        ),
        augmentation=_parse_augmentation(table),
        fit=parse_fit_settings(table, _parse_metric(table)),
        use_class_weights=table.get_bool("fit.class_weights"),
        release=ReleaseSpec(
            licence=table.get_str("release.licence"),
            summary=table.get_str("release.summary"),
            min_precision=table.get_float("release.precision"),
            max_quality_loss=table.get_float("release.quality_loss"),
        ),
    )


def parse_fit_settings(table: TomlReader, metric: str) -> FitSettings:
    """The part that every task's recipe has."""
    return FitSettings(
        epochs=table.get_int("fit.epochs"),
        batch_size=table.get_int("fit.batch"),
        learning_rate=table.get_float("fit.rate"),
        weight_decay=table.get_float("fit.decay"),
        patience=table.get_int("fit.patience"),
        seed=table.get_int("fit.seed"),
        checkpoint_interval_s=table.get_float("fit.checkpoint_s"),
        metric=metric,
    )


def _parse_preprocessing(table: TomlReader) -> Preprocessing:
    """As in a card; mean and scale are learned from the training pictures."""
    channels: Channels = table.get_choice("input.channels", ("rgb", "grey"))
    depth = 1 if channels == "grey" else 3
    return Preprocessing(
        name="image",
        size=table.get_size("input.size"),
        layout="nchw",
        channels=channels,
        mean=(0.0,) * depth,
        scale=(1.0,) * depth,
        fit=table.get_choice("input.fit", ("stretch", "pad", "crop")),
        fill=table.get_int("input.fill"),
    )


def _parse_augmentation(table: TomlReader) -> Augmentation:
    return Augmentation(
        translate=table.get_float("augmentation.translate"),
        zoom=table.get_float("augmentation.zoom"),
        rotate_deg=table.get_float("augmentation.rotate_deg"),
        brightness=table.get_float("augmentation.brightness"),
        contrast=table.get_float("augmentation.contrast"),
        horizontal_flip=table.get_bool("augmentation.horizontal_flip"),
    )


def _parse_metric(table: TomlReader) -> str:
    metric = table.get_str("fit.score")
    if metric not in METRIC_NAMES:
        raise InvalidRecipe(f"fit.score {metric!r} is no measure; there are: {', '.join(METRIC_NAMES)}")
    return metric
