"""What every model's card says, as frozen values: preparation, accepted files, network."""

from dataclasses import dataclass
from typing import Literal, get_args

from vigil.predict.table import BadCard, Table

Channels = Literal["rgb", "bgr", "grey"]
Layout = Literal["nchw", "nhwc"]
Fit = Literal["stretch", "pad", "crop"]

CHANNELS: tuple[Channels, ...] = get_args(Channels)
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
FITS: tuple[Fit, ...] = get_args(Fit)


@dataclass(frozen=True, slots=True)
class Preparation:
    """How an upright RGB picture becomes a network's input: (pixel - mean) / scale per channel.

    size  (width, height) in pixels; None where the network takes several
    fit   stretch: ignore proportions; pad: into the top left corner, the rest is `fill`;
          crop: cover, and cut what stands out on both sides
    """

    input: str
    size: tuple[int, int] | None
    layout: Layout
    channels: Channels
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    fit: Fit
    fill: int

    @classmethod
    def read(cls, card: Table) -> "Preparation":
        prepared = cls(
            input=card.text("input.name"),
            size=card.size("input.size") if "input.size" in card else None,
            layout=card.choice("input.layout", LAYOUTS),
            channels=card.choice("input.channels", CHANNELS),
            mean=card.numbers("input.mean"),
            scale=card.numbers("input.scale"),
            fit=card.choice("input.fit", FITS),
            fill=card.whole("input.fill"),
        )
        depth = 1 if prepared.channels == "grey" else 3
        if not len(prepared.mean) == len(prepared.scale) == depth or 0.0 in prepared.scale:
            raise BadCard(f"{card.file}: input.mean and input.scale must hold {depth} numbers, no scale 0")
        return prepared


@dataclass(frozen=True, slots=True)
class Accepts:
    """Which files a model reads, and how it unpacks them.

    suffixes    lower-case file endings (".jpg")
    formats     Pillow's names of the formats that may be inside, whatever the ending says
    max_bytes   of the file
    max_pixels  of the unpacked picture
    ground      grey level, 0..255, behind transparent pixels
    """

    suffixes: frozenset[str]
    formats: tuple[str, ...]
    max_bytes: int
    max_pixels: int
    ground: int

    @classmethod
    def read(cls, card: Table) -> "Accepts":
        return cls(
            suffixes=frozenset(suffix.lower() for suffix in card.texts("accepts.suffixes")),
            formats=card.texts("accepts.formats"),
            max_bytes=card.whole("accepts.max_bytes"),
            max_pixels=card.whole("accepts.max_pixels"),
            ground=card.whole("accepts.ground"),
        )


@dataclass(frozen=True, slots=True)
class Network:
    """The graph's file beside the card, and how many threads one run may use."""

    file: str
    threads: int

    @classmethod
    def read(cls, card: Table) -> "Network":
        return cls(file=card.text("network.file"), threads=card.whole("network.threads"))
