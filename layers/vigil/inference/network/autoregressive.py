"""Text that a decoder network writes token by token from what an encoder network made of the input."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from vigil.inference.classifier import softmax
from vigil.inference.network.card import AutoregressiveOutputSpec
from vigil.inference.network.heads import Outputs
from vigil.inference.network.prepared import PreparedInput
from vigil.inference.network.sequences import MAX_TEXT_CHARACTERS
from vigil.inference.session import run_graph
from vigil.inference.types import Sighting, Status

PAST, PRESENT = "past_key_values.", "present."
"""How exports of decoders name their caches; those of the encoder's states stay as the first run made."""


class AutoregressiveHead:
    """The text of one input: the best token of each step, until the end token."""

    def __init__(
        self, spec: AutoregressiveOutputSpec, tokens: Sequence[str], decoder: ort.InferenceSession
    ) -> None:
        self._spec, self._tokens, self._decoder = spec, tokens, decoder
        self._inputs = {one.name: one for one in decoder.get_inputs()}
        self._caches = [name for name in self._inputs if name.startswith(PAST)]
        self._outputs = ["logits", *(PRESENT + name.removeprefix(PAST) for name in self._caches)]
        self.outputs = (spec.name,)

    def __call__(self, outputs: Outputs, prepared: PreparedInput) -> list[Sighting]:
        return [self._write(outputs, prepared, item) for item in range(prepared.items)]

    def _write(self, outputs: Outputs, prepared: PreparedInput, item: int) -> Sighting:
        limit = self._spec.max_tokens
        if prepared.spans_s:
            start, end = prepared.spans_s[item]
            limit = min(limit, max(1, int((end - start) * self._spec.tokens_per_s)))
        feeds = {"encoder_hidden_states": outputs[self._spec.name][item : item + 1]}
        if "encoder_attention_mask" in self._inputs:
            length = next(iter(prepared.feeds.values())).shape[1]
            feeds["encoder_attention_mask"] = np.ones((1, length), np.int64)
        ids, scores = self._generate(feeds, limit)
        text = decode_tokens([self._tokens[one] for one in ids])[:MAX_TEXT_CHARACTERS]
        score = float(np.mean(scores)) if scores else 0.0
        is_text = bool(text) and score >= self._spec.threshold
        label, status = ("text", "known") if is_text else ("unknown", "unknown")
        return Sighting(
            label, cast("Status", status), score, self._spec.threshold, text=text, **prepared.origin(item)
        )

    def _generate(self, feeds: Mapping[str, NDArray[Any]], limit: int) -> tuple[list[int], list[float]]:
        """The ids of the tokens and their probabilities."""
        caches = {name: self._empty(name) for name in self._caches}
        token, ids, scores = self._spec.start, list[int](), list[float]()
        while len(ids) < limit:
            step: dict[str, NDArray[Any]] = {"input_ids": np.array([[token]], np.int64), **feeds, **caches}
            if "use_cache_branch" in self._inputs:
                step["use_cache_branch"] = np.array([bool(ids)])
            logits, *present = run_graph(self._decoder, self._outputs, step)
            probabilities = softmax(logits[0, -1].astype(np.float32))
            token = int(probabilities.argmax())
            if token == self._spec.end:
                break
            caches = {
                name: new if not ids or ".encoder." not in name else caches[name]
                for name, new in zip(self._caches, present, strict=True)
            }
            ids.append(token)
            scores.append(float(probabilities[token]))
        return ids, scores

    def _empty(self, name: str) -> NDArray[np.float32]:
        heads, width = self._inputs[name].shape[1], self._inputs[name].shape[3]
        return np.zeros((1, heads, 0, width), np.float32)


def decode_tokens(tokens: Sequence[str]) -> str:
    """The text of tokens as SentencePiece writes them: ▁ is a space, <0x0A> a byte."""
    data = b"".join(
        bytes([int(one[3:5], 16)]) if len(one) == 6 and one.startswith("<0x") else one.encode()
        for one in tokens
    )
    return data.decode(errors="replace").replace("▁", " ").strip()
