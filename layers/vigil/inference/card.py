"""The tables of model cards: what every model has, its preprocessing, its input limits, its network file."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from vigil.toml_file import TomlTable

PositiveInt = Annotated[int, Meta(ge=1)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
GreyLevel = Annotated[int, Meta(ge=0, le=255)]
Size = tuple[PositiveInt, PositiveInt]
"""(width, height) in pixels."""

Channels = Literal["rgb", "bgr", "grey"]


class Preprocessing(TomlTable, frozen=True, kw_only=True):
    """Table [input]: how a picture becomes a network's input, (pixel - mean) / scale for each channel.

    name         of the input tensor
    size         (width, height) in pixels; None if the network takes several sizes
    mean, scale  one number for each channel, in grey levels
    fit          stretch: ignore proportions; pad: into the top left corner, the rest is `fill`; letterbox:
                 into the centre; crop: cover the input and cut the excess equally on both sides
    filter       how pixels are resampled
    crop_share   with fit "crop": the share of the covered input that is used, such as 0.875
    """

    name: str
    size: Size | None = None
    layout: Literal["nchw", "nhwc"]
    channels: Channels
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    fit: Literal["stretch", "pad", "letterbox", "crop"]
    fill: GreyLevel
    filter: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    crop_share: Annotated[float, Meta(gt=0, le=1)] = 1.0

    def __post_init__(self) -> None:
        depth = 1 if self.channels == "grey" else 3
        if not len(self.mean) == len(self.scale) == depth or 0.0 in self.scale:
            raise ValueError(f"mean and scale must have {depth} numbers, and no scale may be 0")


class FixedSizePreprocessing(Preprocessing, frozen=True, kw_only=True):
    """Table [input] of a network with one input size."""

    size: Size


class InputLimits(TomlTable, frozen=True):
    """Table [accepts]: which files a model reads, and how they are decoded.

    suffixes         usual file endings (".jpg"), for clients that offer files; the content decides
    max_bytes        of the file
    formats          of pictures: Pillow's names of the accepted formats
    max_pixels       of the decoded picture
    background_grey  grey level behind transparent pixels
    """

    suffixes: frozenset[Annotated[str, Meta(pattern=r"^\.[a-z0-9]+$")]]
    max_bytes: PositiveInt
    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "MPO")
    max_pixels: PositiveInt = 50_000_000
    background_grey: GreyLevel = 128


class Network(TomlTable, frozen=True):
    """Table [network]: the graph's file beside the card, and how many threads one run may use."""

    file: str
    threads: PositiveInt


class ModelInfo(TomlTable, frozen=True):
    """Table [model]: the folder's name, the version, and one line about the model."""

    name: str
    version: str
    summary: str


class PipelineInfo(TomlTable, frozen=True):
    """Table [pipeline]: the kind of model; a composite model names the model of each role in `parts`."""

    kind: str
    parts: dict[str, str] = field(default_factory=dict)


class SourceFile(TomlTable, frozen=True, kw_only=True):
    """One file of one version of a published package.

    integrity  of the archive: npm's own "sha512-...", or pip's "sha256:..." of a wheel
    tags       of a wheel: Python, ABI and platform, as its file name ends
    member     the file's path in the archive
    sha256     of the file
    """

    registry: Literal["npm", "pypi"] = "npm"
    package: str
    version: str
    integrity: str
    tags: str = "py3-none-any"
    member: str
    sha256: str


class SourcePart(TomlTable, frozen=True, kw_only=True):
    """Table [[source.parts]]: what a conversion reads besides the graph, such as its weights.

    member  and its sha256: another file of the same archive
    file    a file in the card's folder, which is not shipped by itself
    """

    member: str = ""
    sha256: str = ""
    file: str = ""

    def __post_init__(self) -> None:
        if bool(self.member) == bool(self.file) or bool(self.member) != bool(self.sha256):
            raise ValueError("a part is a member with its sha256, or a file beside the card")


class ModelSource(SourceFile, frozen=True, kw_only=True):
    """Table [source]: the published graph, how it becomes ONNX, and the rewrites to apply to it."""

    parts: tuple[SourcePart, ...] = ()
    conversion: str = ""
    rewrites: tuple[str, ...] = ()


class Licence(TomlTable, frozen=True):
    """Table [licence]: an SPDX expression, who holds the copyright, and what is not known."""

    spdx: str
    holder: str = ""
    remark: str = ""


class CardRule(TomlTable, frozen=True, kw_only=True):
    """Table [[rules]]: when a prediction of the model is an alert; keys that are not given are fulfilled.

    min_value, max_value  bounds of the value of a regression or an anomaly
    """

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    severity: Literal["info", "warning", "critical"] = "warning"
    labels: frozenset[str] | None = None
    status: Literal["known", "unknown"] = "known"
    min_score: float | None = None
    min_value: float | None = None
    max_value: float | None = None


class ModelCard(Struct, frozen=True, kw_only=True):
    """A card as far as it is the same for all kinds of models; tables of one kind are ignored.

    Each kind has a subclass with `forbid_unknown_fields=True`, which refuses unknown tables.

    assets    other files of the release that come from packages, by the name that they get
    quality   measured figures, by name
    training  how the release was trained
    """

    model: ModelInfo
    pipeline: PipelineInfo
    accepts: InputLimits | None = None
    network: Network | None = None
    source: ModelSource | None = None
    assets: Mapping[str, SourceFile] = field(default_factory=dict)
    licence: Licence | None = None
    quality: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)


class NetworkCard(ModelCard, frozen=True, kw_only=True):
    """The card of a model with a network of its own."""

    network: Network
    input: Preprocessing
