"""What may no longer be learned from goes out of a stored data set: pictures first, then the lines of them.

A pruned set keeps its name, by which jobs and releases know it. Its manifests are written anew, their older
versions are deleted; dataset.json says how much went and when, and as what content the rest would be known.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from vigil.learn.dataset import data_set_id
from vigil.learn.example import SPLITS, Entry
from vigil.learn.manifest import read, written
from vigil.learn.pedigree import Forgotten

ROOT = "data"
MANIFEST = "manifest.jsonl"
DONE = "dataset.json"


class Shelf(Protocol):
    """Where data sets are stored. Raises Transient."""

    def has(self, key: str) -> bool:
        """Whether there is such an object."""

    def put(self, key: str, data: bytes) -> None:
        """Store an object."""

    def get(self, key: str) -> bytes:
        """Read an object."""

    def folders(self, place: str) -> Iterable[str]:
        """The names of the folders in a folder."""

    def shred(self, key: str, *, but_newest: bool = False) -> None:
        """Delete every version of an object; or all but the newest."""


def folder(model: str, data: str) -> str:
    return f"{ROOT}/{model}/{data}"


def stored(library: Shelf) -> Iterator[tuple[str, str]]:
    """(model, data set) of everything that is stored, or was begun to be."""
    for model in library.folders(ROOT):
        for data in library.folders(f"{ROOT}/{model}"):
            yield model, data


@dataclass(frozen=True, slots=True)
class Stock:
    """library  where data sets are stored
    mark     notes in the pedigrees of releases that learned from (model, data set) what is no longer in it
    """

    library: Shelf
    mark: Callable[[str, str, Forgotten], None]


def prune(model: str, data: str, unfit: Callable[[Entry], bool], stock: Stock, *, now: datetime) -> int:
    """Take out what is unfit; how many. Done again after a failure, it goes on where it stopped.

    The set says last that it was pruned: until then, releases that learned from it are marked again.
    """
    place, library = folder(model, data), stock.library
    splits = {split: _pruned(f"{place}/{split}", unfit, library) for split in SPLITS}
    kept = [entry for entries in splits.values() for entry in entries if not unfit(entry)]
    removed = sum(map(len, splits.values())) - len(kept)
    if library.has(f"{place}/{DONE}"):
        told = json.loads(library.get(f"{place}/{DONE}"))
        content = data_set_id(sorted(kept, key=lambda entry: entry.object))
        if content != told["content"]:
            before = sum(count for split in told["splits"].values() for count in split.values())
            forgotten = Forgotten(content, before - len(kept), now)
            stock.mark(model, data, forgotten)
            library.put(f"{place}/{DONE}", _described(told, forgotten, kept))
        library.shred(f"{place}/{DONE}", but_newest=True)
    return removed


def out_of_time(entry: Entry, now: datetime) -> bool:
    """Whether an entry's time is up."""
    return entry.keep_until is not None and entry.keep_until <= now


def _pruned(place: str, unfit: Callable[[Entry], bool], library: Shelf) -> tuple[Entry, ...]:
    """What a split held; afterwards it holds what is fit, and no older version of its manifest says more."""
    key = f"{place}/{MANIFEST}"
    if not library.has(key):
        return ()
    entries = read(library.get(key).decode())
    gone = [entry for entry in entries if unfit(entry)]
    for entry in gone:
        library.shred(f"{place}/{entry.object}")
    if gone:
        library.put(key, written(entry for entry in entries if not unfit(entry)).encode())
    library.shred(key, but_newest=True)
    return entries


def _described(told: dict[str, Any], forgotten: Forgotten, kept: list[Entry]) -> bytes:
    pruned = {"at": forgotten.at.isoformat(), "items": forgotten.items}
    splits = {split: Counter(entry.label for entry in kept if entry.split == split) for split in SPLITS}
    now = told | {"content": forgotten.content, "splits": splits, "pruned": [*told["pruned"], pruned]}
    return json.dumps(now, indent=1, sort_keys=True).encode()
