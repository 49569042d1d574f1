"""Labelled drops become a published data set: what may be used, read once, divided, stored under its id."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from vigil.errors import VigilError
from vigil.flow.label import Label
from vigil.flow.prune import DONE, MANIFEST, Shelf, Stock, folder, prune
from vigil.flow.taken import Register, claimed, pictured
from vigil.learn.dataset import DataSet, Left, Terms, assemble, refusal
from vigil.learn.example import SPLITS, Entry, Example
from vigil.learn.manifest import read, written


class TooLittle(VigilError):
    """Nothing was labelled, or a label is missing from a split; the message says which."""


class Books(Protocol):
    """Where data sets are read. Raises Transient."""

    def get(self, key: str) -> bytes:
        """Read an object."""


@dataclass(frozen=True, slots=True)
class School:
    """stock     where data sets are stored
    register  where it is asked what may be used
    each      maps a function over many things, several at once if it can
    """

    stock: Stock
    register: Register
    each: Callable[[Callable[..., Any], Iterable[Any]], Iterable[Any]] = map


def publish(model: str, labels: Iterable[Label], terms: Terms, school: School, *, now: datetime) -> DataSet:
    """Store the data set of what is labelled now; one that is there already is left as it is.

    Who is erased or withdraws while it is being stored is taken out of it again before anybody learns.
    Raises TooLittle, Transient.
    """
    data, pictures = _assembled(labels, terms, school, now)
    if not data.entries or data.gaps:
        lacking = ", ".join(f"{label} in {split}" for split, label in data.gaps[:5]) or "nothing is labelled"
        why = "".join(f"; {count} {reason}" for reason, count in data.left.items())
        raise TooLittle(f"data set of {model}: {lacking}{why}")
    done, library = f"{folder(model, data.id)}/{DONE}", school.stock.library
    if not library.has(done):
        _store(model, data, pictures, school)
        library.put(done, _described(data, now))
    prune(model, data.id, partial(withdrawn, school.register), school.stock, now=now)
    return data


def withdrawn(register: Register, entry: Entry) -> bool:
    """Whether somebody in an entry is erased or does not consent any more, or its source is closed."""
    closed = register.policy(entry.slices.get("source", "")) == "never"
    return closed or not all(map(register.agrees, entry.people))


def reviewed(model: str, data: str, library: Books) -> tuple[tuple[Entry, bytes], ...]:
    """The test split of a data set, with its files."""
    place = f"{folder(model, data)}/test"
    entries = read(library.get(f"{place}/{MANIFEST}").decode())
    return tuple((entry, library.get(f"{place}/{entry.object}")) for entry in entries)


def _assembled(
    labels: Iterable[Label], terms: Terms, school: School, now: datetime
) -> tuple[DataSet, Mapping[str, bytes]]:
    """The data set and its pictures; of what may not be used no picture is read."""
    gone: Counter[Left] = Counter()
    examples: list[Example] = []
    pictures: dict[str, bytes] = {}
    erased: set[str] = set()
    for example, data in school.each(partial(_example, school.register, now), labels):
        if example is None:
            gone["gone"] += 1
            continue
        examples.append(example)
        erased |= school.register.erased(example.people)
        if data is not None:
            pictures[example.object] = data
    found = assemble(examples, terms=terms, erased=frozenset(erased), now=now)
    return replace(found, left={**found.left, **gone}), pictures


def _example(
    register: Register, now: datetime, label: Label
) -> tuple[Example, bytes | None] | tuple[None, None]:
    drop = register.drop(label.drop)
    if drop is None:
        return None, None
    example = claimed(label, drop, register)
    if refusal(example, register.erased(example.people), now) is not None:
        return example, None
    return pictured(example, label, drop, register.fetch) or (None, None)


def _store(model: str, data: DataSet, pictures: Mapping[str, bytes], school: School) -> None:
    """Manifests before pictures: whatever is there, a manifest names it, also where storing broke off."""
    library = school.stock.library
    for split in SPLITS:
        place = f"{folder(model, data.id)}/{split}"
        names: Sequence[str] = [entry.object for entry in data.split(split)]
        library.put(f"{place}/{MANIFEST}", written(data.split(split)).encode())
        list(school.each(partial(_put, library, place, pictures), names))


def _put(library: Shelf, place: str, pictures: Mapping[str, bytes], name: str) -> None:
    library.put(f"{place}/{name}", pictures[name])


def _described(data: DataSet, now: datetime) -> bytes:
    told = {
        "id": data.id,
        "content": data.id,
        "made_at": now.isoformat(),
        "left": dict(data.left),
        "splits": {split: dict(data.count(split)) for split in SPLITS},
        "pruned": [],
    }
    return json.dumps(told, indent=1, sort_keys=True).encode()
