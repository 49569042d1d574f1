"""Labelled drops become a published data set: read once, described, divided, stored under its own id."""

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Protocol

from PIL import Image

from vigil.drops import Object
from vigil.errors import Rejected, VigilError
from vigil.flow.label import Label
from vigil.learn.dataset import DataSet, Terms, assemble
from vigil.learn.example import SPLITS, Entry, Example
from vigil.learn.manifest import read, written
from vigil.learn.phash import perceptual_hash

MOST_BYTES = 10_000_000


class TooLittle(VigilError):
    """Nothing was labelled, or a label is missing from a split; the message says which."""


class Library(Protocol):
    """Where data sets are stored. Raises Transient."""

    def has(self, key: str) -> bool:
        """Whether there is such an object."""

    def put(self, key: str, data: bytes) -> None:
        """Store an object."""

    def get(self, key: str) -> bytes:
        """Read an object."""


@dataclass(frozen=True, slots=True)
class School:
    """fetch  a dropped object's bytes; Rejected where it is gone
    where  the object of a drop, None where it had none
    each   maps a function over many things, several at once if it can
    """

    library: Library
    fetch: Callable[[Object, int], bytes]
    where: Callable[[str], Object | None]
    each: Callable[[Callable[..., Any], Iterable[Any]], Iterable[Any]] = map


def publish(model: str, labels: Iterable[Label], terms: Terms, school: School, *, now: datetime) -> DataSet:
    """Store the data set of what is labelled now; one that is there already is left as it is.

    Raises TooLittle, Transient.
    """
    found = school.each(lambda label: _example(label, school), labels)
    pictures = [pair for pair in found if pair is not None]
    data = assemble((example for example, _ in pictures), terms=terms, erased=frozenset(), now=now)
    if not data.entries or data.gaps:
        lacking = ", ".join(f"{label} in {split}" for split, label in data.gaps[:5]) or "nothing is labelled"
        raise TooLittle(f"data set of {model}: {lacking}")
    done = f"{folder(model, data.id)}/dataset.json"
    if not school.library.has(done):
        _store(model, data, {example.object: held for example, held in pictures}, school)
        school.library.put(done, _described(data, now))
    return data


def folder(model: str, data: str) -> str:
    return f"data/{model}/{data}"


def reviewed(model: str, data: str, library: Library) -> tuple[tuple[Entry, bytes], ...]:
    """The test split of a data set, with its files."""
    place = f"{folder(model, data)}/test"
    entries = read(library.get(f"{place}/manifest.jsonl").decode())
    return tuple((entry, library.get(f"{place}/{entry.object}")) for entry in entries)


def _example(label: Label, school: School) -> tuple[Example, bytes] | None:
    """None where the picture is gone: its time was up, or somebody was erased."""
    where = school.where(label.drop)
    if where is None:
        return None
    try:
        data = school.fetch(where, MOST_BYTES)
    except Rejected:
        return None
    digest = hashlib.sha256(data).hexdigest()
    example = Example(
        object=f"{digest[:32]}{PurePosixPath(where.key).suffix.lower()}",
        sha256=digest,
        label=label.label,
        group=label.drop,
        labelled_by=label.by,
        labelled_at=label.at,
        consented=True,
        phash=perceptual_hash(Image.open(io.BytesIO(data))),
        slices={"source": label.source},
    )
    return example, data


def _store(model: str, data: DataSet, pictures: Mapping[str, bytes], school: School) -> None:
    for split in SPLITS:
        place = f"{folder(model, data.id)}/{split}"
        names = [entry.object for entry in data.split(split)]
        list(school.each(partial(_put, school.library, place, pictures), names))
        school.library.put(f"{place}/manifest.jsonl", written(data.split(split)).encode())


def _put(library: Library, place: str, pictures: Mapping[str, bytes], name: str) -> None:
    library.put(f"{place}/{name}", pictures[name])


def _described(data: DataSet, now: datetime) -> bytes:
    told = {
        "id": data.id,
        "made_at": now.isoformat(),
        "left": dict(data.left),
        "splits": {split: dict(data.count(split)) for split in SPLITS},
    }
    return json.dumps(told, indent=1, sort_keys=True).encode()
