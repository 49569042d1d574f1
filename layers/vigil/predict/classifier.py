"""An image classifier that is a card and a graph: no line of code of its own."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vigil.predict.card import Accepts, Preparation
from vigil.predict.decode import decode
from vigil.predict.heads import Head
from vigil.predict.prepare import tensor
from vigil.predict.release import Release
from vigil.predict.session import Session, open_session
from vigil.predict.shelf import Part
from vigil.predict.table import BadCard
from vigil.seeing import Mark, Option, Scene, Sighting


class Classifier:
    """Port Model: every label that reaches the card's threshold, or "unknown" with the best score."""

    def __init__(self, release: Release, session: Session) -> None:
        self.name = release.name
        self.release = release.id
        self._session = session
        self._accepts = Accepts.read(release.card)
        self._preparation = Preparation.read(release.card)
        self._head = Head.read(release.card)
        if self._preparation.size is None:
            raise BadCard(f"{release.card.file}: input.size is missing")
        self._side_px = 2 * max(self._preparation.size)

    @property
    def suffixes(self) -> frozenset[str]:
        return self._accepts.suffixes

    @property
    def max_bytes(self) -> int:
        return self._accepts.max_bytes

    @property
    def labels(self) -> tuple[str, ...]:
        return self._head.labels

    @property
    def threshold(self) -> float:
        return self._head.threshold

    def scores(self, data: bytes) -> NDArray[np.float32]:
        """(L,) float32, 0..1, in the order of `labels`."""
        picture = decode(data, self._accepts, side_px=self._side_px)
        raw = self._session.run([self._head.output], tensor(picture.image, self._preparation))[0]
        return self._head.scores(raw)

    def see(self, data: bytes, options: Mapping[str, Option], mark: Mark) -> Scene:  # noqa: ARG002 - none yet
        """What is in the picture. A classifier has no options."""
        mark("decode")
        picture = decode(data, self._accepts, side_px=self._side_px)
        mark("classify")
        raw = self._session.run([self._head.output], tensor(picture.image, self._preparation))[0]
        sightings = self._sightings(self._head.scores(raw))
        return Scene(sightings[: self._head.keep], found=len(sightings), size_px=picture.size_px)

    def _sightings(self, scores: NDArray[np.float32]) -> tuple[Sighting, ...]:
        """
        scores  (L,) float32, 0..1
        """
        head = self._head
        order = np.argsort(-scores, kind="stable")
        said = [place for place in order if scores[place] >= head.threshold]
        if not said:
            return (Sighting("unknown", "unknown", float(scores[order[0]]), head.threshold),)
        return tuple(
            Sighting(head.labels[place], "known", float(scores[place]), head.threshold) for place in said
        )


def open_classifier(release: Release, part: Part) -> Classifier:  # noqa: ARG001 - a Pipeline; this one has no parts
    """The Pipeline of cards whose kind is "classifier"."""
    return Classifier(release, open_session(release))
