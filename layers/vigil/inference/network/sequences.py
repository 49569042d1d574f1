"""What the steps of a network's output mean: characters, or spans of time."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from vigil.inference.classifier import softmax
from vigil.inference.network.card import CtcOutputSpec, SegmentsOutputSpec
from vigil.inference.network.heads import Outputs, Scores, require_width
from vigil.inference.network.prepared import PreparedInput
from vigil.inference.types import Sighting
from vigil.toml_file import InvalidToml

MAX_TEXT_CHARACTERS = 10_000

HYSTERESIS = 0.15
"""How far below the threshold a segment ends, if the card does not say it."""

Span = tuple[float, float]


class CtcHead:
    """The text of each item: the best character of each step, without blanks and repetitions (CTC)."""

    def __init__(self, spec: CtcOutputSpec, labels: Sequence[str]) -> None:
        self._spec = spec
        self._characters = [*labels[: spec.blank], "", *labels[spec.blank :]]
        self.outputs = (spec.name,)

    def __call__(self, outputs: Outputs, prepared: PreparedInput) -> list[Sighting]:
        values = outputs[self._spec.name]
        if values.ndim != 3 or values.shape[2] != len(self._characters):
            raise InvalidToml(
                f"the network gives {list(values.shape)}; {len(self._characters) - 1} labels and a blank are "
                f"[items, steps, {len(self._characters)}]"
            )
        return [self._sighting(steps, prepared.origin(item)) for item, steps in enumerate(values)]

    def _sighting(self, steps: Scores, origin: dict[str, Any]) -> Sighting:
        """
        steps  (T, characters) float32
        """
        if self._spec.activation == "softmax":
            steps = softmax(steps)
        best = steps.argmax(axis=1)
        is_new = (best != self._spec.blank) & np.concatenate([[True], best[1:] != best[:-1]])
        text = "".join(self._characters[index] for index in best[is_new])[:MAX_TEXT_CHARACTERS]
        score = float(np.clip(steps[is_new, best[is_new]], 0, 1).mean()) if is_new.any() else 0.0
        is_text = bool(text.strip()) and score >= self._spec.threshold
        label = "text" if is_text else "unknown"
        status: Any = "known" if is_text else "unknown"
        return Sighting(label, status, score, self._spec.threshold, text=text, **origin)


class SegmentsHead:
    """The spans of a recording in which the score of its windows is high."""

    def __init__(self, spec: SegmentsOutputSpec) -> None:
        self._spec = spec
        self.outputs = (spec.name,)

    def __call__(self, outputs: Outputs, prepared: PreparedInput) -> list[Sighting]:
        scores = np.clip(require_width(outputs[self._spec.name], 1, "values")[:, 0], 0, 1)
        found = [
            Sighting(
                self._spec.label,
                "known",
                float(scores[first:last].max()),
                self._spec.threshold,
                span_s=span,
            )
            for first, last, span in self._segments(scores, prepared.spans_s)
        ]
        return sorted(found, key=lambda one: -(one.score or 0.0))[: self._spec.top_k]

    def _segments(self, scores: Scores, spans_s: Sequence[Span]) -> list[tuple[int, int, Span]]:
        """(first window, window after the last, span in seconds), in order of time."""
        spec, end_s = self._spec, spans_s[-1][1]
        joined: list[tuple[int, int]] = []
        for first, last in self._runs(scores):
            if joined and spans_s[first][0] - spans_s[joined[-1][1] - 1][1] < spec.gap_s:
                first = joined.pop()[0]  # noqa: PLW2901 - the segment before goes on
            joined.append((first, last))
        spans = [(first, last, (spans_s[first][0], spans_s[last - 1][1])) for first, last in joined]
        return [
            (first, last, (max(0.0, round(start - spec.pad_s, 3)), min(end_s, round(end + spec.pad_s, 3))))
            for first, last, (start, end) in spans
            if end - start >= spec.min_s
        ]

    def _runs(self, scores: Scores) -> list[tuple[int, int]]:
        """Windows from the first that reaches the threshold to the last before the lower one is missed."""
        low = self._spec.low_threshold
        low = max(0.0, self._spec.threshold - HYSTERESIS) if low is None else low
        runs: list[tuple[int, int]] = []
        first = None
        for window, score in enumerate(scores):
            if first is None and score >= self._spec.threshold:
                first = window
            elif first is not None and score < low:
                runs.append((first, window))
                first = None
        return runs if first is None else [*runs, (first, len(scores))]
