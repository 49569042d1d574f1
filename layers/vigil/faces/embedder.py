"""The embedder: a network that maps aligned faces to unit vectors of one embedding space."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.faces.alignment import Alignment
from vigil.inference.card import FixedSizePreprocessing, NetworkCard, PositiveInt
from vigil.inference.preprocess import to_tensor
from vigil.inference.release import Release
from vigil.inference.session import Session, open_session
from vigil.toml_file import TomlTable


class EmbeddingOutput(TomlTable, frozen=True):
    """Table [output]: name of the output tensor, and the length of a vector."""

    vector: str
    length: PositiveInt


class EmbedderCard(NetworkCard, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The card of the part that embeds.

    calibration  fmr and cosine of a trained embedder, which replace those of the composite model's card
    """

    input: FixedSizePreprocessing
    output: EmbeddingOutput
    alignment: Alignment
    calibration: Mapping[str, tuple[float, ...]] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Embedder:
    """The network with its card, and the id of its embedding space."""

    session: Session
    card: EmbedderCard
    embedding_space: str

    def embed(self, faces: Sequence[Image.Image]) -> NDArray[np.float32]:
        """The vector of each face.

        faces    n aligned faces, RGB, of the card's input size
        returns  (n, D) float32, unit rows; (0, 0) without faces
        """
        rows = [self._embed_one(face) for face in faces]
        return np.concatenate(rows) if rows else np.empty((0, 0), np.float32)

    def _embed_one(self, face: Image.Image) -> NDArray[np.float32]:
        """(1, D) float32. On one thread a batch takes longer than its faces one by one."""
        vector = self.session.run([self.card.output.vector], to_tensor(face, self.card.input))[0]
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


def open_embedder(release: Release) -> Embedder:
    """Raises InvalidToml or BrokenRelease."""
    card = release.convert_card(EmbedderCard)
    return Embedder(open_session(release), card, embedding_space_id(release, card))


def embedding_space_id(release: Release, card: EmbedderCard) -> str:
    """Changes with the network's bytes, its preprocessing or the alignment, and with nothing else.

    Keys of the preprocessing that have their default do not count, so that a new key changes no space.
    """
    values = ((getattr(card.input, one.name), one.default) for one in msgspec.structs.fields(card.input))
    preprocessing = tuple(value for value, default in values if value != default)
    alignment = msgspec.structs.astuple(card.alignment)
    content = msgspec.json.encode((release.digests[card.network.file], preprocessing, alignment))
    return hashlib.sha256(content).hexdigest()[:16]
