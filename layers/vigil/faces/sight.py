"""How a card wants photographs looked at, and which way of looking a source's options ask for."""

from collections.abc import Mapping
from dataclasses import dataclass

from vigil.errors import Rejected
from vigil.faces.denoise import Denoising
from vigil.faces.detect import Canvas
from vigil.faces.quality import QualityGate
from vigil.faces.tiles import Tiles
from vigil.predict.card import Accepts
from vigil.predict.table import Table
from vigil.seeing import Option

TILES = "tiles"

LANDMARKS = ("twice", "once")
"""How often a small face is looked at for its points; twice unless an option says so."""


class UnknownOption(Rejected):
    """A source or a message asks for something that the model's card does not offer."""

    reason = "unknown-option"


@dataclass(frozen=True, slots=True)
class Sight:
    """The card's settings.

    canvases         the detector's input sizes, by the name that an option gives
    default          the name used where no option says another
    keep             the most faces of one picture
    side_px          a JPEG's longer side keeps this many pixels when it is unpacked smaller
    detail_below_px  smaller faces than this, in the unpacked picture, are cut from the full one
    """

    accepts: Accepts
    canvases: Mapping[str, Canvas]
    default: str
    tiles: Tiles
    keep: int
    side_px: int
    detail_below_px: float
    quality: QualityGate
    denoising: Denoising

    @classmethod
    def read(cls, card: Table) -> "Sight":
        places = {name: f"detection.sizes.{name}" for name in card.names("detection.sizes")}
        return cls(
            accepts=Accepts.read(card),
            canvases={name: _canvas(card, at) for name, at in {**places, TILES: "detection.tiles"}.items()},
            default=card.text("detection.default"),
            tiles=Tiles.read(card),
            keep=card.whole("detection.keep"),
            side_px=card.whole("decoding.side_px"),
            detail_below_px=card.number("decoding.detail_below_px"),
            quality=QualityGate.read(card),
            denoising=Denoising.read(card),
        )

    def way(self, options: Mapping[str, Option]) -> str:
        """Which canvas these options ask for. Raises UnknownOption."""
        wanted = str(options.get("detect", self.default))
        if wanted not in self.canvases:
            raise UnknownOption(f"detect = {wanted!r}; there are: {', '.join(self.canvases)}")
        return wanted

    def looks(self, options: Mapping[str, Option]) -> str:
        """How often landmarks are looked for. Raises UnknownOption."""
        wanted = str(options.get("landmarks", LANDMARKS[0]))
        if wanted not in LANDMARKS:
            raise UnknownOption(f"landmarks = {wanted!r}; there are: {', '.join(LANDMARKS)}")
        return wanted

    def unpack_px(self, way: str) -> int | None:
        """How long a JPEG's longer side must stay for looking this way; None: as it is."""
        return None if way == TILES else max(self.side_px, *self.canvases[way].size)


def _canvas(card: Table, at: str) -> Canvas:
    return Canvas(card.size(f"{at}.canvas"), card.number(f"{at}.score"))
