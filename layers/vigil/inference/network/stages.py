"""Two models one after the other: the second runs on what the first finds in a picture or a recording."""

import io
import math
import wave
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np

from vigil.inference.images import decode_image
from vigil.inference.network.audio_input import Samples, decode_sound
from vigil.inference.network.card import AudioInputSpec, ImageInputSpec, StagesCard
from vigil.inference.network.model import NetworkModel, open_network, to_prediction
from vigil.inference.release import Release
from vigil.inference.repository import OpenPart
from vigil.inference.types import Box, Option, Prediction, Sighting, StageCallback, ignore_stage
from vigil.toml_file import InvalidToml

Span = tuple[float, float]


class StagesModel:
    """Port Model: the sightings of the second model, each at the place of what the first one found."""

    def __init__(self, release: Release, find: NetworkModel, read: NetworkModel) -> None:
        """Raises InvalidToml if the second model does not take what is cut from the first one's input."""
        self.name, self.release = release.name, release.id
        self.card = release.convert_card(StagesCard)
        self._find, self._read = find, read
        for kind in (ImageInputSpec, AudioInputSpec):
            if isinstance(find.card.input, kind) and isinstance(read.card.input, kind):
                return
        raise InvalidToml(
            f'{release.card_file.file}: pipeline.parts: both inputs must be of kind "image" or both "audio"'
        )

    @property
    def max_bytes(self) -> int:
        return self.card.accepts.max_bytes

    def predict(self, data: bytes, options: Mapping[str, Option], on_stage: StageCallback) -> Prediction:  # noqa: ARG002 - stages have no options
        """The sightings of both stages together."""
        return to_prediction(*self.find_all(data, on_stage), self.card.rules)

    def find_all(
        self, data: bytes, on_stage: StageCallback = ignore_stage
    ) -> tuple[list[Sighting], tuple[int, int] | None]:
        """All sightings, and the size of the picture if it is one."""
        on_stage("detect")
        found, size_px = self._find.find_all(data)
        on_stage("run")
        labels = self.card.cuts.labels
        places = [one for one in found if one.status == "known" and (labels is None or one.label in labels)]
        is_sound = isinstance(self._find.card.input, AudioInputSpec)
        cuts = self._cut_sound(data, places) if is_sound else self._cut_picture(data, places)
        return list(cuts), size_px

    def _cut_picture(self, data: bytes, places: list[Sighting]) -> Iterator[Sighting]:
        boxes = [one.box_px for one in places if one.box_px is not None][: self.card.cuts.most]
        if not boxes:
            return
        image = decode_image(data, self._find.card.accepts).image
        for box in boxes:
            left, top, right, bottom = _with_margin(box, image.size, self.card.cuts.margin)
            out = io.BytesIO()
            image.crop((left, top, right, bottom)).save(out, "BMP")
            for one in self._read.find_all(out.getvalue())[0]:
                yield replace(one, box_px=_shifted(one.box_px, left, top) if one.box_px else box)

    def _cut_sound(self, data: bytes, places: list[Sighting]) -> Iterator[Sighting]:
        spec = self._read.card.input
        spans = sorted(one.span_s for one in places if one.span_s is not None)
        if not spans or not isinstance(spec, AudioInputSpec):
            return
        samples = decode_sound(data, spec.rate, spec.max_s)
        pieces = [piece for span in spans for piece in _pieces(span, self.card.cuts.longest_s)]
        for start, end in pieces[: self.card.cuts.most]:
            cut = samples[round(start * spec.rate) : round(end * spec.rate)]
            if len(cut):
                for one in self._read.find_all(_to_wav(cut, spec.rate))[0]:
                    yield replace(one, span_s=(round(start, 3), round(end, 3)))


def open_stages(release: Release, open_part: OpenPart) -> StagesModel:
    """The ModelFactory of kind "stages"."""
    find, read = (
        open_network(open_part(release.card.pipeline.parts[role]), open_part) for role in ("find", "read")
    )
    return StagesModel(release, find, read)


def _with_margin(box: Box, size: tuple[int, int], margin: float) -> tuple[int, int, int, int]:
    """left, top, right, bottom in whole pixels, within the picture and never empty."""
    across, down = (box[2] - box[0]) * margin, (box[3] - box[1]) * margin
    left = min(max(0, math.floor(box[0] - across)), size[0] - 1)
    top = min(max(0, math.floor(box[1] - down)), size[1] - 1)
    right = max(left + 1, min(size[0], math.ceil(box[2] + across)))
    bottom = max(top + 1, min(size[1], math.ceil(box[3] + down)))
    return left, top, right, bottom


def _shifted(box: Box, left: float, top: float) -> Box:
    return box[0] + left, box[1] + top, box[2] + left, box[3] + top


def _pieces(span: Span, longest_s: float) -> list[Span]:
    """A span in as few equal pieces as are no longer than `longest_s`."""
    start, end = span
    count = max(1, math.ceil((end - start) / longest_s))
    edges = [start + (end - start) * number / count for number in range(count + 1)]
    return list(pairwise(edges))


def _to_wav(samples: Samples, rate: int) -> bytes:
    """
    samples  (S,) float32, -1 to 1
    """
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, rate, len(samples), "NONE", ""))
        file.writeframes((np.clip(samples, -1, 1) * np.float32(32767)).astype("<i2").tobytes())
    return out.getvalue()
