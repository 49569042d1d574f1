"""Aligned faces become unit vectors; the space they lie in has an id."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.faces.align import Alignment
from vigil.predict.card import Preparation
from vigil.predict.prepare import fill
from vigil.predict.release import Release
from vigil.predict.session import Session, open_session
from vigil.predict.table import BadCard


@dataclass(frozen=True, slots=True)
class Embedder:
    """The network, the alignment that it was trained with, and the id of its vectors' space."""

    session: Session
    preparation: Preparation
    alignment: Alignment
    output: str
    size: tuple[int, int]
    space: str

    def embed(self, faces: Sequence[Image.Image]) -> NDArray[np.float32]:
        """
        faces    n aligned faces, RGB, of `size`
        returns  (n, D) float32, unit rows
        """
        if not faces:
            return np.empty((0, 0), np.float32)
        planes = np.empty((len(faces), 3, self.size[1], self.size[0]), np.float32)
        for face, part in zip(faces, planes, strict=True):
            fill(part, face, self.preparation)
        vectors = self.session.run([self.output], planes)[0]
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def open_embedder(release: Release) -> Embedder:
    """Raises BadCard where the card names no input size."""
    preparation, alignment = Preparation.read(release.card), Alignment.read(release.card)
    if preparation.size is None:
        raise BadCard(f"{release.card.file}: input.size is missing")
    return Embedder(
        session=open_session(release),
        preparation=preparation,
        alignment=alignment,
        output=release.card.text("output.vector"),
        size=preparation.size,
        space=_space(release, preparation, alignment),
    )


def _space(release: Release, preparation: Preparation, alignment: Alignment) -> str:
    """Changes with the network, its preparation or the alignment, and with nothing else on the card."""
    network = release.digests[release.card.text("network.file")]
    return hashlib.sha256(f"{network} {preparation} {alignment}".encode()).hexdigest()[:16]
