"""audio-keywords: a logistic regression on the vectors of published networks."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from models.evaluation.bundled.datasets import spoken_digits

KEYWORD_C, ITERATIONS = 0.01, 1000
"""Inverse strength of the regularisation, fixed beforehand."""

KEYWORD_WINDOWS = 7
"""Windows of the speech embedding in a clip of 1.28 s."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class KeywordHead:
    """The head of all speakers, and the accuracy for each speaker with a head of the others."""

    file: bytes
    accuracy_by_speaker: dict[str, float]


def keyword_head(vector: Callable[[bytes], Floats], folder: Path) -> KeywordHead:
    """
    vector  the mean and the maximum over the windows for one recording
    """
    digits = list(spoken_digits(folder))
    vectors = np.stack([vector(one.sound) for one in digits])
    labels, speakers = np.array([one.digit for one in digits]), np.array([one.speaker for one in digits])
    accuracy = {}
    for speaker in np.unique(speakers):
        is_his = speakers == speaker
        head = _fit(vectors[~is_his], labels[~is_his], KEYWORD_C)
        accuracy[str(speaker)] = float(head.score(vectors[is_his], labels[is_his]))
    return KeywordHead(_head_file(_fit(vectors, labels, KEYWORD_C), windows=KEYWORD_WINDOWS), accuracy)


def passing_head() -> bytes:
    """head.npz that passes the vectors on, with which the graph gives what a head is trained on."""
    size = 2 * 96
    return _npz(
        weight=np.eye(size, dtype=np.float32), bias=np.zeros(size, np.float32), windows=KEYWORD_WINDOWS
    )


def _fit(vectors: Floats, labels: NDArray[np.int64], strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=ITERATIONS).fit(vectors, labels)


def _head_file(head: LogisticRegression, **more: int) -> bytes:
    return _npz(weight=head.coef_.astype(np.float32), bias=head.intercept_.astype(np.float32), **more)


def _npz(**arrays: Floats | int) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()
