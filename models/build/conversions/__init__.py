"""Conversions by name: a published model in another format becomes an ONNX graph."""

from collections.abc import Callable, Mapping, Sequence

import onnx

from models.build.conversions.efficientnet import efficientnet_lite0
from models.build.conversions.sentence_vectors import sentence_vectors
from models.build.conversions.speech_embedding import speech_keywords
from models.build.conversions.tfjs import tfjs_graph
from models.build.files import BuildFailure

Conversion = Callable[[Sequence[bytes]], onnx.ModelProto]
"""Takes the published model, and what else it needs, in the order of the card."""

CONVERSIONS: Mapping[str, Conversion] = {
    "efficientnet-lite0": efficientnet_lite0,
    "sentence-vectors": sentence_vectors,
    "speech-keywords": speech_keywords,
    "tfjs-graph": tfjs_graph,
}


def convert(name: str, published: Sequence[bytes]) -> bytes:
    """The ONNX graph; without a name the model is one. Raises BuildFailure for an unknown name."""
    if not name:
        return published[0]
    if name not in CONVERSIONS:
        raise BuildFailure(f"There is no conversion {name!r}; there are: {', '.join(sorted(CONVERSIONS))}.")
    return bytes(CONVERSIONS[name](published).SerializeToString(deterministic=True))
