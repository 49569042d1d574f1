"""The vectors that the head of audio-keywords is trained on, from the graph that serves."""

from collections.abc import Callable

import numpy as np
import onnxruntime as ort
from msgspec import structs
from numpy.typing import NDArray

from models.build.build import fetch_file
from models.build.conversions import convert
from models.build.files import CACHE, CARDS
from models.evaluation.bundled.keyword_head import passing_head
from vigil.inference.network.audio_input import AudioPreparer
from vigil.inference.network.card import AudioInputSpec, NetworkModelCard
from vigil.inference.release import CARD_FILE
from vigil.toml_file import load_toml


def open_keyword_vectors() -> Callable[[bytes], NDArray[np.float32]]:
    """A function from a recording to the mean and the maximum of its windows' vectors."""
    card = load_toml(CARDS / "audio-keywords" / CARD_FILE).convert(NetworkModelCard)
    source, spec = card.source, card.input
    assert source is not None and isinstance(spec, AudioInputSpec)  # noqa: S101, PT018 - so is the card
    embedding = structs.replace(source, member=source.parts[0].member, sha256=source.parts[0].sha256)
    networks = [fetch_file(one, CACHE, lambda _: None) for one in (source, embedding)]
    graph = convert(source.conversion, [*networks, passing_head()])
    session, prepare = ort.InferenceSession(graph, providers=["CPUExecutionProvider"]), AudioPreparer(spec)

    def vector(sound: bytes) -> NDArray[np.float32]:
        prepared = next(iter(prepare(sound)))
        result: NDArray[np.float32] = session.run(None, dict(prepared.feeds))[0][0]
        return result

    return vector
