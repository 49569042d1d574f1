"""The types of training recipes, which are TOML files."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from models.evaluation.metrics import MetricName
from vigil.inference.card import Fraction, GreyLevel, PositiveInt, Preprocessing, Size
from vigil.toml_file import TomlTable

OutputHead = Literal["softmax", "sigmoid"]
NonNegative = Annotated[float, Meta(ge=0)]


class InputSpec(TomlTable, frozen=True):
    """Table [input]: as in a card; mean and scale are computed from the training pictures."""

    size: Size
    channels: Literal["rgb", "grey"]
    fit: Literal["stretch", "pad", "crop"]
    fill: GreyLevel

    @property
    def preprocessing(self) -> Preprocessing:
        """With mean 0 and scale 1."""
        depth = 1 if self.channels == "grey" else 3
        return Preprocessing(
            name="image",
            size=self.size,
            layout="nchw",
            channels=self.channels,
            mean=(0.0,) * depth,
            scale=(1.0,) * depth,
            fit=self.fit,
            fill=self.fill,
        )


class NetworkSpec(TomlTable, frozen=True):
    """Table [network].

    layers   conv32 (3x3 and ReLU), pool (halves), mean (over the picture), dense64
    head     softmax: one of the labels; sigmoid: the second of two labels, or not
    dropout  share of values that are dropped before each dense layer during training
    """

    layers: tuple[str, ...]
    head: OutputHead
    dropout: Fraction


class Augmentation(TomlTable, frozen=True):
    """Table [augmentation]: random changes of training pictures, uniform within plus and minus each limit.

    translate, zoom       shares of the picture's size
    brightness, contrast  shares of the range
    horizontal_flip       whether pictures may be mirrored
    """

    translate: NonNegative = 0.0
    zoom: NonNegative = 0.0
    rotate_deg: NonNegative = 0.0
    brightness: NonNegative = 0.0
    contrast: NonNegative = 0.0
    horizontal_flip: bool = False


class FitSettings(TomlTable, frozen=True):
    """Table [fit].

    patience               epochs without a better validation metric after which training stops
    checkpoint_interval_s  longest time between checkpoints; one is written after each epoch in any case
    """

    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: float
    weight_decay: float
    patience: PositiveInt
    seed: int
    checkpoint_interval_s: float


class ClassifierFitSettings(FitSettings, frozen=True):
    """Table [fit] of a classifier.

    class_weights  whether the loss weights classes by the inverse of their share
    metric         what early stopping compares on the validation split
    """

    class_weights: bool
    metric: MetricName


class ReleaseSpec(TomlTable, frozen=True):
    """Table [release].

    max_quality_loss  the most quality on the validation split that 8-bit weights may cost
    """

    licence: str
    max_quality_loss: float


class ClassifierReleaseSpec(ReleaseSpec, frozen=True):
    """Table [release] of a classifier.

    min_precision  share of correct predictions, on the validation split, among those above the threshold
    """

    summary: str
    min_precision: Fraction


class ClassifierRecipe(TomlTable, frozen=True):
    """A picture classifier; `data` divides the dataset before the job starts."""

    input: InputSpec
    network: NetworkSpec
    augmentation: Augmentation
    fit: ClassifierFitSettings
    release: ClassifierReleaseSpec
    data: Mapping[str, Any] = field(default_factory=dict)


class ArcFaceSettings(TomlTable, frozen=True):
    """Table [arcface].

    margin_rad           added to the angle between an embedding and its person's centre
    scale                of the cosines before softmax
    identity_penalty     keeps the projection near the identity
    backbone_rate_share  share of the learning rate for a trainable backbone
    """

    margin_rad: float
    scale: float
    identity_penalty: float
    backbone_rate_share: float


class EmbeddingRecipe(TomlTable, frozen=True):
    """An embedding."""

    arcface: ArcFaceSettings
    fit: FitSettings
    release: ReleaseSpec
