"""Aligned faces become unit vectors; the space they lie in has an id."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.faces.alignment import Alignment
from vigil.inference.card import Preprocessing
from vigil.inference.preprocess import to_tensor
from vigil.inference.release import Release
from vigil.inference.session import Session, open_session
from vigil.toml_file import InvalidToml


@dataclass(frozen=True, slots=True)
class Embedder:
    """The network, the alignment that it was trained with, and the id of its vectors' space."""

    session: Session
    preparation: Preprocessing
    alignment: Alignment
    output: str
    size: tuple[int, int]
    embedding_space: str

    def embed(self, faces: Sequence[Image.Image]) -> NDArray[np.float32]:
        """
        faces    n aligned faces, RGB, of `size`
        returns  (n, D) float32, unit rows
        """
        rows = [self._embed_one(face) for face in faces]
        return np.concatenate(rows) if rows else np.empty((0, 0), np.float32)

    def _embed_one(self, face: Image.Image) -> NDArray[np.float32]:
        """(1, D): one at a time, for on one thread a batch takes longer than its faces one by one."""
        vector = self.session.run([self.output], to_tensor(face, self.preparation))[0]
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


def open_embedder(release: Release) -> Embedder:
    """Raises BadCard where the card names no input size."""
    preparation, alignment = Preprocessing.from_card(release.card), Alignment.from_card(release.card)
    if preparation.size is None:
        raise InvalidToml(f"{release.card.file}: input.size is missing")
    return Embedder(
        session=open_session(release),
        preparation=preparation,
        alignment=alignment,
        output=release.card.get_str("output.vector"),
        size=preparation.size,
        embedding_space=_embedding_space_id(release, preparation, alignment),
    )


def _embedding_space_id(release: Release, preparation: Preprocessing, alignment: Alignment) -> str:
    """Changes with the network, its preparation or the alignment, and with nothing else on the card."""
    network = release.digests[release.card.get_str("network.file")]
    return hashlib.sha256(f"{network} {preparation} {alignment}".encode()).hexdigest()[:16]
