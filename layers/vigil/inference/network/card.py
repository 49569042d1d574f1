"""The card of a model of kind "network": its input, its output and its rules, as tables of a TOML file."""

from typing import Annotated, Literal

from msgspec import Meta, field

from vigil.inference.card import (
    CardRule,
    Fraction,
    GreyLevel,
    InputLimits,
    ModelCard,
    Network,
    PositiveInt,
    Preprocessing,
)
from vigil.inference.detection import AnchorConfig
from vigil.toml_file import TomlTable

PositiveFloat = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=0)]
FileName = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}$", description="the name of a file beside the card"),
]
Constants = dict[str, bool | int | float | tuple[float, ...]]
"""Values of further inputs of the graph, by name; their type is that of the graph."""


class ImageInputSpec(Preprocessing, frozen=True, kw_only=True, tag_field="kind", tag="image"):
    """Table [input] of kind "image"; the picture is turned upright as its EXIF says.

    max_side_px  of a network of several sizes: larger pictures are reduced
    multiple     of a network of several sizes: both sides are rounded up to a multiple of it
    """

    layout: Literal["nchw", "nhwc"] = "nchw"
    channels: Literal["rgb", "bgr", "grey"] = "rgb"
    fit: Literal["stretch", "pad", "letterbox", "crop"] = "stretch"
    fill: GreyLevel = 0
    max_side_px: PositiveInt = 1024
    multiple: PositiveInt = 1
    constants: Constants = field(default_factory=dict)


class TextInputSpec(TomlTable, frozen=True, kw_only=True, tag_field="kind", tag="text"):
    """Table [input] of kind "text": UTF-8 becomes tokens, (windows, tokens) integers.

    name        of the input with the ids of the tokens
    mask        of the input that is 1 for each token and 0 for padding; "" if the graph has none
    types       of the input with the type of each token, always 0; "" if the graph has none
    tokenizer   file in the format of the library `tokenizers`, with its special tokens
    max_tokens  of one window, with special tokens
    long        truncate: the rest is ignored; window: windows overlap by `overlap` tokens, and the outputs
                of all windows are averaged
    padding     longest: windows are as long as the longest of them; max: as long as `max_tokens`
    """

    name: str = "input_ids"
    mask: str = ""
    types: str = ""
    tokenizer: FileName
    max_tokens: PositiveInt
    long: Literal["truncate", "window"] = "truncate"
    overlap: Count = 0
    padding: Literal["longest", "max"] = "longest"
    constants: Constants = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.overlap >= self.max_tokens - 2:
            raise ValueError(f"overlap must be less than max_tokens - 2, {self.max_tokens - 2}")


class StateTensor(TomlTable, frozen=True, kw_only=True):
    """Table [[input.states]]: a tensor, zero at first, that each window's run hands to the next one."""

    input: str
    output: str
    shape: tuple[PositiveInt, ...]


class AudioInputSpec(TomlTable, frozen=True, kw_only=True, tag_field="kind", tag="audio"):
    """Table [input] of kind "audio": WAV, FLAC, Ogg or MP3 becomes mono samples from -1 to 1, times `scale`.

    rate     samples a second of the network; files of other rates are resampled
    clip_s   seconds of the one clip that runs, (1, samples): shorter sounds are padded with silence, longer
             ones cut; None for the whole sound
    align    which part of the sound the clip is: its beginning, the loudest part, or around the centre of its
             energy, which may leave silence on both sides
    window   samples of one window of a stream, with `context` samples of the window before in front,
             (windows, context + window); None for no stream
    hop      samples from one window to the next; None for `window`
    max_s    seconds; longer sounds are rejected
    mask     of the input that is 1 for each sample; "" if the graph has none
    """

    name: str
    mask: str = ""
    rate: Annotated[int, Meta(ge=1000, le=192_000)]
    scale: float = 1.0
    clip_s: PositiveFloat | None = None
    align: Literal["start", "loudest", "centre"] = "start"
    window: PositiveInt | None = None
    hop: PositiveInt | None = None
    context: Count = 0
    states: tuple[StateTensor, ...] = ()
    max_s: PositiveFloat = 600.0
    constants: Constants = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.clip_s is not None and self.window is not None:
            raise ValueError("clip_s and window exclude each other: the sound is one clip or a stream")
        if self.window is None and (self.hop or self.context or self.states):
            raise ValueError("hop, context and states need window")


class Feature(TomlTable, frozen=True, kw_only=True):
    """Table [[input.features]]: one column of the table, in the order of the network's input.

    type        number; boolean: 0 or 1; category: the index in `categories`
    missing     value of an empty or absent cell; a row without it is rejected if there is none
    """

    name: Annotated[str, Meta(min_length=1)]
    type: Literal["number", "boolean", "category"] = "number"
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()
    missing: float | str | None = None

    def __post_init__(self) -> None:
        if (self.type == "category") != bool(self.categories):
            raise ValueError('categories are the values of a feature of type "category", and of no other')


class TableInputSpec(TomlTable, frozen=True, kw_only=True, tag_field="kind", tag="table"):
    """Table [input] of kind "table": CSV with a header, JSON lines or JSON; (rows, features) float32."""

    name: str
    features: Annotated[tuple[Feature, ...], Meta(min_length=1)]
    max_rows: PositiveInt = 100_000
    constants: Constants = field(default_factory=dict)


class BytesInputSpec(TomlTable, frozen=True, kw_only=True, tag_field="kind", tag="bytes"):
    """Table [input] of kind "bytes": the first and the last bytes of the file, (1, head + tail) numbers.

    strip  remove white space from the beginning of the head and the end of the tail
    pad    the number in place of each byte that a short file lacks
    """

    name: str
    head: Count
    tail: Count = 0
    strip: bool = False
    pad: int = 0
    constants: Constants = field(default_factory=dict)


class TensorInputSpec(TomlTable, frozen=True, kw_only=True, tag_field="kind", tag="tensor"):
    """Table [input] of kind "tensor": an array in a .npy file or as nested lists in JSON.

    shape  with the first axis; 0 for an axis of any length
    """

    name: str
    shape: Annotated[tuple[Count, ...], Meta(min_length=1)]
    constants: Constants = field(default_factory=dict)


InputSpec = (
    ImageInputSpec | TextInputSpec | AudioInputSpec | TableInputSpec | BytesInputSpec | TensorInputSpec
)


class _LabelledOutput(TomlTable, frozen=True, kw_only=True):
    """Keys of an output with one value for each label.

    labels, labels_file  the labels in the order of the values, or a file with one a line
    threshold            lowest score of a reported label
    """

    name: str
    labels: tuple[str, ...] = ()
    labels_file: FileName | Literal[""] = ""
    threshold: Fraction = 0.5

    def __post_init__(self) -> None:
        if bool(self.labels) == bool(self.labels_file):
            raise ValueError("exactly one of labels and labels_file is needed")


class SoftmaxOutputSpec(_LabelledOutput, frozen=True, kw_only=True, tag_field="kind", tag="softmax"):
    """Table [output] of kind "softmax": logits of classes that exclude each other.

    temperature  the logits are divided by it, which calibrates the scores
    """

    top_k: PositiveInt = 5
    temperature: PositiveFloat = 1.0


class SigmoidOutputSpec(_LabelledOutput, frozen=True, kw_only=True, tag_field="kind", tag="sigmoid"):
    """Table [output] of kind "sigmoid": logits of independent labels."""

    top_k: PositiveInt = 5
    temperature: PositiveFloat = 1.0


class ProbabilitiesOutputSpec(
    _LabelledOutput, frozen=True, kw_only=True, tag_field="kind", tag="probabilities"
):
    """Table [output] of kind "probabilities": values from 0 to 1 that the graph computes."""

    top_k: PositiveInt = 5


class BinaryOutputSpec(TomlTable, frozen=True, kw_only=True, tag_field="kind", tag="binary"):
    """Table [output] of kind "binary": one value for each item, or two, of which the second counts.

    labels      (negative, positive), or (positive,): then "unknown" is reported below the threshold
    activation  of the value: "sigmoid" of a logit, "none" of a probability
    """

    name: str
    labels: Annotated[tuple[str, ...], Meta(min_length=1, max_length=2)]
    threshold: Fraction = 0.5
    activation: Literal["sigmoid", "none"] = "sigmoid"


class RegressionOutputSpec(TomlTable, frozen=True, kw_only=True, tag_field="kind", tag="regression"):
    """Table [output] of kind "regression": numbers, each as value * scale + offset, named by `labels`."""

    name: str
    labels: Annotated[tuple[str, ...], Meta(min_length=1)]
    scale: float = 1.0
    offset: float = 0.0


class EmbeddingOutputSpec(TomlTable, frozen=True, kw_only=True, tag_field="kind", tag="embedding"):
    """Table [output] of kind "embedding": a vector for each item, scaled to length 1.

    space            id of the embedding space; vectors of different spaces are never compared
    neighbours_file  .npz with `embeddings` (N, D) float32 and `labels` (N,): the label of the nearest vector
                     is reported, "unknown" below `threshold`; without it only the vector is
    threshold        lowest cosine of a reported label
    """

    name: str
    space: Annotated[str, Meta(min_length=1)]
    neighbours_file: FileName | Literal[""] = ""
    threshold: Annotated[float, Meta(ge=-1, le=1)] = 0.5
    top_k: PositiveInt = 1


class AnomalyOutputSpec(TomlTable, frozen=True, kw_only=True, tag_field="kind", tag="anomaly"):
    """Table [output] of kind "anomaly": one number for each item, which grows with its distance from normal.

    low, high  the numbers that become score 0 and score 1
    """

    name: str
    low: float = 0.0
    high: float = 1.0
    threshold: Fraction = 0.5

    def __post_init__(self) -> None:
        if self.low == self.high:
            raise ValueError("low and high must differ")


class BoxesDecoder(TomlTable, frozen=True, kw_only=True, tag_field="kind", tag="boxes"):
    """Boxes that the graph has decoded: left, top, right, bottom; or centre or corner, width and height.

    normalized  whether coordinates are shares of the input's size instead of pixels
    """

    format: Literal["ltrb", "tlbr", "cxcywh", "ltwh"] = "ltrb"
    normalized: bool = False


class AnchorsDecoder(AnchorConfig, frozen=True, kw_only=True, tag_field="kind", tag="anchors"):
    """Offsets from anchors, as SSD defines them: square anchors of each size at each cell of each stride."""


class DistributionDecoder(TomlTable, frozen=True, kw_only=True, tag_field="kind", tag="distribution"):
    """Distances to the four sides as distributions over bins, as generalised focal loss defines them."""

    strides: Annotated[tuple[PositiveInt, ...], Meta(min_length=1)]


class DetectionOutputSpec(_LabelledOutput, frozen=True, kw_only=True, tag_field="kind", tag="detection"):
    """Table [output] of kind "detection": boxes with a score for each label.

    scores, boxes  names of the tensors, one of each for each scale; `name` is not used
    activation     of the scores
    background     column of the scores that is no label; None if there is none
    max_iou        a box that overlaps a better one by more is dropped
    class_wise     whether boxes of different labels may overlap
    top_k          highest number of boxes reported
    """

    name: str = ""
    scores: Annotated[tuple[str, ...], Meta(min_length=1)]
    boxes: Annotated[tuple[str, ...], Meta(min_length=1)]
    decoder: AnchorsDecoder | DistributionDecoder | BoxesDecoder
    activation: Literal["none", "sigmoid", "softmax"] = "none"
    background: Count | None = None
    max_iou: Fraction = 0.5
    class_wise: bool = True
    top_k: PositiveInt = 40


class CtcOutputSpec(_LabelledOutput, frozen=True, kw_only=True, tag_field="kind", tag="ctc"):
    """Table [output] of kind "ctc": a distribution over characters for each step, (1, steps, characters).

    labels       the characters without the blank; or in `labels_file`
    blank        column of the blank
    activation   of the distribution
    """

    blank: Count = 0
    activation: Literal["none", "softmax"] = "none"


class SegmentsOutputSpec(TomlTable, frozen=True, kw_only=True, tag_field="kind", tag="segments"):
    """Table [output] of kind "segments": the spans of time in which the windows' score is high.

    threshold, low_threshold  a segment begins at the first and ends below the second; None for 0.15 less
    min_s, gap_s              shorter segments are dropped, shorter gaps are closed
    pad_s                     seconds added on both sides
    """

    name: str
    label: str
    threshold: Fraction = 0.5
    low_threshold: Fraction | None = None
    min_s: float = 0.25
    gap_s: float = 0.1
    pad_s: float = 0.03
    top_k: PositiveInt = 40


class AutoregressiveOutputSpec(
    _LabelledOutput, frozen=True, kw_only=True, tag_field="kind", tag="autoregressive"
):
    """Table [output] of kind "autoregressive": a second graph writes a text, token by token.

    name          of the first graph's output, which becomes the decoder's `encoder_hidden_states`
    decoder_file  a merged decoder as usual exports have it, with inputs `input_ids`, `past_key_values.*` and
                  `use_cache_branch`, and outputs `logits` and `present.*`
    labels        the tokens by id: ▁ is a space, <0x0A> a byte
    start, end    ids of the tokens before the first and after the last one
    tokens_per_s  highest number of tokens for each second of a recording
    """

    decoder_file: FileName
    start: Count
    end: Count
    max_tokens: PositiveInt = 256
    tokens_per_s: PositiveFloat = 25.0
    threshold: Fraction = 0.0


OutputSpec = (
    SoftmaxOutputSpec
    | SigmoidOutputSpec
    | ProbabilitiesOutputSpec
    | BinaryOutputSpec
    | RegressionOutputSpec
    | EmbeddingOutputSpec
    | AnomalyOutputSpec
    | DetectionOutputSpec
    | CtcOutputSpec
    | AutoregressiveOutputSpec
    | SegmentsOutputSpec
)


class NetworkModelCard(ModelCard, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The card of a model of kind "network"."""

    accepts: InputLimits
    network: Network
    input: InputSpec
    output: OutputSpec
    rules: tuple[CardRule, ...] = ()

    def __post_init__(self) -> None:
        is_stream = isinstance(self.input, AudioInputSpec) and self.input.window is not None
        if isinstance(self.output, SegmentsOutputSpec) and not is_stream:
            raise ValueError('an output of kind "segments" needs an input of kind "audio" with window')
        if isinstance(self.output, DetectionOutputSpec) and not isinstance(self.input, ImageInputSpec):
            raise ValueError('an output of kind "detection" needs an input of kind "image"')


class Cuts(TomlTable, frozen=True, kw_only=True):
    """Table [cuts]: which sightings of the first model the second one runs on.

    labels     of the sightings; None for all
    margin     share of a box's width and height that is added on each side
    longest_s  longer spans of a recording are cut into equal pieces
    most       highest number of cuts
    """

    labels: frozenset[str] | None = None
    margin: Annotated[float, Meta(ge=0, le=1)] = 0.0
    longest_s: PositiveFloat = 10.0
    most: PositiveInt = 40


class StagesCard(ModelCard, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The card of a model of kind "stages": what part `find` finds, part `read` runs on.

    [pipeline.parts] names two models of kind "network": find = "audio-speech", read = "audio-words".
    """

    accepts: InputLimits
    cuts: Cuts = Cuts()
    rules: tuple[CardRule, ...] = ()

    def __post_init__(self) -> None:
        if set(self.pipeline.parts) != {"find", "read"}:
            raise ValueError('[pipeline.parts] must have the keys "find" and "read"')


def card_files(card: NetworkModelCard) -> dict[str, str]:
    """The files beside the card that it names, by the key that names them."""
    names = {"network.file": card.network.file}
    for table, spec in (("input", card.input), ("output", card.output)):
        for key in ("tokenizer", "labels_file", "neighbours_file", "decoder_file"):
            if value := getattr(spec, key, ""):
                names[f"{table}.{key}"] = value
    return names
