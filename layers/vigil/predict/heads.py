"""What a classifier's raw output means: one probability for each label."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigil.predict.table import BadCard, Table

Scores = NDArray[np.float32]


def softmax(raw: Scores) -> Scores:
    """(L,) logits to probabilities that add up to 1."""
    powers = np.exp(raw - raw.max())
    return np.asarray(powers / powers.sum(), np.float32)


def sigmoid(raw: Scores) -> Scores:
    """(L,) logits to probabilities that are independent of one another."""
    return np.float32(1) / (np.float32(1) + np.exp(-np.clip(raw, -80, 80)))


def probabilities(raw: Scores) -> Scores:
    """(L,) already probabilities; only rounding is taken off."""
    return np.clip(raw, 0, 1)


HEADS: Mapping[str, Callable[[Scores], Scores]] = {
    "softmax": softmax,
    "sigmoid": sigmoid,
    "probabilities": probabilities,
}


@dataclass(frozen=True, slots=True)
class Head:
    """How a card wants its classifier's output read.

    threshold  the least probability, 0..1, at which a label is said
    keep       the most labels said of one picture
    """

    output: str
    kind: str
    labels: tuple[str, ...]
    threshold: float
    keep: int

    @classmethod
    def read(cls, card: Table) -> "Head":
        return cls(
            output=card.text("output.name"),
            kind=card.choice("output.head", tuple(HEADS)),
            labels=card.texts("output.labels"),
            threshold=card.number("output.threshold"),
            keep=card.whole("output.keep"),
        )

    def scores(self, raw: Scores) -> Scores:
        """
        raw      the network's output for one picture, with L values
        returns  (L,) float32, 0..1, in the order of `labels`
        """
        if raw.size != len(self.labels):
            raise BadCard(
                f"the network gives {raw.size} values for the {len(self.labels)} labels of its card"
            )
        return HEADS[self.kind](raw.reshape(-1)).astype(np.float32, copy=False)
