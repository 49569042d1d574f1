"""What an input becomes: tensors for a run of the network, and where each of their items comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vigil.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from vigil.inference.types import Box


@dataclass(frozen=True, slots=True)
class ImagePlacement:
    """Where the pixels of the network's input are in the picture.

    input_size  (width, height) of the input
    scale       pixels of the upright picture per pixel of the input, across and down
    offset      of the input's top left corner, in pixels of the picture
    size_px     (width, height) of the upright picture
    """

    input_size: tuple[int, int]
    scale: tuple[float, float]
    offset: tuple[float, float]
    size_px: tuple[int, int]

    def to_picture(self, box: Box) -> Box:
        """A box of the input in pixels of the picture, clipped to it."""
        edges = [
            min(max(value * self.scale[axis % 2] + self.offset[axis % 2], 0.0), float(self.size_px[axis % 2]))
            for axis, value in enumerate(box)
        ]
        return edges[0], edges[1], edges[2], edges[3]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedInput:
    """Items that run together; the first axis of each tensor counts them.

    feeds      by name of the graph's input
    items      their number
    rows       numbers of the rows in the table, from 1; empty for other inputs
    spans_s    start and end of each item in the recording; empty for other inputs
    placement  of a picture
    averaged   whether the items are windows of one input, whose outputs are averaged
    """

    feeds: Mapping[str, NDArray[Any]]
    items: int
    rows: tuple[int, ...] = ()
    spans_s: tuple[tuple[float, float], ...] = field(default=())
    placement: ImagePlacement | None = None
    averaged: bool = False

    def origin(self, item: int) -> dict[str, Any]:
        """The fields of a sighting that say where the item comes from."""
        return ({"row": self.rows[item]} if self.rows else {}) | (
            {"span_s": self.spans_s[item]} if self.spans_s and not self.averaged else {}
        )


class NotText(Rejected):
    """The bytes are not text in UTF-8, or the text is empty."""

    reason = "not-text"


class NotSound(Rejected):
    """The bytes are no recording in a supported format, or it is damaged."""

    reason = "not-sound"


class InputTooLong(Rejected):
    """The recording or the table is longer than the model card allows."""

    reason = "input-too-long"


class InvalidTable(Rejected):
    """The file is no table with the features of the model card."""

    reason = "invalid-table"


class InvalidTensor(Rejected):
    """The file is no array of the shape in the model card."""

    reason = "invalid-tensor"


class NoFiniteOutput(Rejected):
    """The network, which answers numbers for other inputs, answers none for this one."""

    reason = "no-finite-output"
