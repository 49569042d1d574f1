"""What a training job left becomes a registered release: proven, examined, stored, put on record."""

import hashlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from vigil.errors import BrokenRelease
from vigil.learn.exam import Scorer, measured
from vigil.learn.example import Entry
from vigil.learn.pedigree import Pedigree
from vigil.learn.release import register
from vigil.learn.stages import Standing
from vigil.predict.table import Table

Items = Sequence[tuple[Entry, bytes]]


class Shelves(Protocol):
    """Where releases are stored and opened. Raises BrokenRelease, Transient."""

    def put(self, release: Pedigree, files: Mapping[str, bytes]) -> None:
        """Store a release's files."""

    def opened(self, model: str, release: str) -> Scorer:
        """A stored release, proven and ready to be examined."""

    def active(self, model: str) -> Scorer | None:
        """The release that answers now; None where the model is new."""

    def bundled(self, model: str) -> str | None:
        """The id of the release that ships with the functions."""


Register = Callable[[Standing, str | None, str | None, str | None], bool]
"""Puts (standing, bundled, data, parent) on record, once."""


def admit(
    pedigree: Pedigree,
    files: Mapping[str, bytes],
    items: Items,
    *,
    shelves: Shelves,
    keep: Register,
    now: datetime,
) -> Standing:
    """Store, prove, examine, register; done twice, it is done once. Raises BrokenRelease, Transient."""
    model = pedigree.model
    if not items:
        raise BrokenRelease(f"there is no reviewed set to examine {pedigree.id} of {model} on")
    shelves.put(pedigree, files)
    metric, gain = measured(shelves.opened(model, pedigree.id), shelves.active(model), items)
    standing = Standing(register(model, pedigree.id, now), metric, gain)
    keep(standing, shelves.bundled(model), pedigree.data, pedigree.parent)
    return standing


def pedigree_of(
    model: str, files: Mapping[str, bytes], *, parent: str | None, data: str | None, recipe: str | None
) -> Pedigree:
    """What a release's own card says of it, and where it comes from. Raises BadCard."""
    card = files["card.toml"].decode("utf-8", "replace")
    table = Table(f"{model}/card.toml", tomllib.loads(card))
    quality = {
        name: float(value)
        for name, value in table.values.get("quality", {}).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return Pedigree(
        model=model,
        digests={name: hashlib.sha256(body).hexdigest() for name, body in files.items()},
        licence=table.text("licence.spdx"),
        card=card,
        quality=quality,
        parent=parent,
        data=data,
        recipe=recipe,
    )
