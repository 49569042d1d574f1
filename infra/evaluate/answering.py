"""A release's answers on a labelled data set, computed as it would serve them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.training.channels import Samples, read
from models.training.searching import searched, searches
from vigil.errors import VigilError
from vigil.learn.identification import Searches
from vigil.learn.scored import Scored
from vigil.predict.card import Preparation
from vigil.predict.heads import Head
from vigil.predict.release import Release
from vigil.predict.session import Session, open_session


class CannotMeasure(VigilError):
    """The release and the data set do not fit together; the message says how."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a search said, beside the slices of its probes."""

    searches: Searches
    slices: dict[str, tuple[str, ...]]


def answer(release: Release, folder: Path) -> Scored | Answers:
    """A classifier's scores, or an embedding's searches: one person in three stays a stranger.

    folder  one split: manifest.jsonl with its files, or .npz sets. Raises CannotMeasure, BadCard or BadData.
    """
    preparation = Preparation.read(release.card)
    samples = read(folder, _plain(preparation))
    if not len(samples):
        raise CannotMeasure(f"{folder} holds nothing")
    session = open_session(release)
    if "output.labels" in release.card:
        return _scored(samples, Head.read(release.card), session, preparation)
    if "output.vector" not in release.card:
        raise CannotMeasure(f"{release.name} neither classifies nor embeds")
    vectors = np.stack(_outputs(samples, session, release.card.text("output.vector"), preparation))
    probes = searched(samples.labels)
    slices = {name: tuple(values[n] for n in probes) for name, values in samples.slices.items()}
    return Answers(searches(vectors, samples.labels), slices)


def _scored(samples: Samples, head: Head, session: Session, preparation: Preparation) -> Scored:
    outputs = _outputs(samples, session, head.output, preparation)
    scores = np.stack([head.scores(raw) for raw in outputs]).astype(np.float64)
    labels = _labels(head.labels, samples.labels)
    return Scored(labels, samples.truth(labels), scores, head.threshold, samples.groups, samples.slices)


def _outputs(
    samples: Samples, session: Session, output: str, preparation: Preparation
) -> list[NDArray[np.float32]]:
    """One picture at a time, as in serving."""
    mean = np.array(preparation.mean, np.float32)[:, np.newaxis, np.newaxis]
    scale = np.array(preparation.scale, np.float32)[:, np.newaxis, np.newaxis]
    found = []
    for picture in samples.values:
        planes = (picture.astype(np.float32) - mean) * (np.float32(1) / scale)
        ordered = planes if preparation.layout == "nchw" else planes.transpose(1, 2, 0)
        found.append(session.run([output], np.ascontiguousarray(ordered)[np.newaxis])[0].reshape(-1))
    return found


def _labels(said: tuple[str, ...], meant: Sequence[str]) -> tuple[str, ...]:
    """The card's labels; of a card with one, the other is whatever else the data set has."""
    if len(said) > 1:
        return said
    others = sorted(set(meant) - set(said))
    if len(others) != 1:
        raise CannotMeasure(
            f"the release says {said[0]!r} or nothing; the data set has {len(others)} other labels"
        )
    return (others[0], *said)


def _plain(preparation: Preparation) -> Preparation:
    """Pictures as bytes, channels first, before mean and scale."""
    depth = len(preparation.mean)
    return replace(preparation, layout="nchw", mean=(0.0,) * depth, scale=(1.0,) * depth)
