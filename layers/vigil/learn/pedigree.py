"""What a release says of itself: its files, licence, quality, and what it was made from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from vigil.errors import VigilError
from vigil.predict.release import content_id


class BadPedigree(VigilError):
    """The text is no pedigree, or its id is not its content's."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was taken out of the data set after the release had learned from it.

    content  id that the rest of the set would have
    items    how many went
    """

    content: str
    items: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Pedigree:
    """The manifest of a release; it holds for exactly these bytes.

    digests  sha256 of each file, in hex, card included
    card     its text, with all that was measured: by label and slice too, with intervals
    quality  the card's figures of the whole held-out split: {"accuracy": 0.97}
    parent   the release that it was to be better than; None for a first
    data     id of the data set that it learned from; None where it came from elsewhere
    recipe   sha256 of the recipe, in hex; None likewise
    forgotten  what it learned from and would not any more: people erased, consent withdrawn
    """

    model: str
    digests: Mapping[str, str]
    licence: str
    card: str
    quality: Mapping[str, float] = field(default_factory=dict)
    parent: str | None = None
    data: str | None = None
    recipe: str | None = None
    forgotten: tuple[Forgotten, ...] = ()

    @property
    def id(self) -> str:
        """The release's id, as every result names it."""
        return content_id(self.digests)


def check(pedigree: Pedigree, name: str, data: bytes) -> bytes:
    """The bytes, if they are the file of that name. Raises BadPedigree."""
    found = hashlib.sha256(data).hexdigest()
    if pedigree.digests.get(name) != found:
        raise BadPedigree(
            f"{pedigree.model}/{name} is {found[:16]}, not what release {pedigree.id} was made of"
        )
    return data


def forget(pedigree: Pedigree, forgotten: Forgotten) -> Pedigree:
    """The pedigree with a mark; told twice, it is marked once."""
    if forgotten.content in {one.content for one in pedigree.forgotten}:
        return pedigree
    return replace(pedigree, forgotten=(*pedigree.forgotten, forgotten))


def written(pedigree: Pedigree) -> str:
    """The pedigree as text, its id beside it."""
    fields: dict[str, Any] = {"id": pedigree.id, "model": pedigree.model, "files": dict(pedigree.digests)}
    fields |= {"licence": pedigree.licence, "quality": dict(pedigree.quality), "parent": pedigree.parent}
    fields |= {"data": pedigree.data, "recipe": pedigree.recipe, "card": pedigree.card}
    if pedigree.forgotten:
        fields["forgotten"] = [asdict(one) | {"at": one.at.isoformat()} for one in pedigree.forgotten]
    return json.dumps(fields, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def read(text: str) -> Pedigree:
    """A pedigree from its text. Raises BadPedigree."""
    try:
        pedigree = _pedigree(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadPedigree(f"no pedigree: {error!r}") from error
    return pedigree


def _pedigree(fields: dict[str, Any]) -> Pedigree:
    pedigree = Pedigree(
        model=str(fields["model"]),
        digests={str(name): str(digest) for name, digest in fields["files"].items()},
        licence=str(fields["licence"]),
        card=str(fields["card"]),
        quality={str(name): float(value) for name, value in fields["quality"].items()},
        parent=fields["parent"],
        data=fields["data"],
        recipe=fields["recipe"],
        forgotten=tuple(
            Forgotten(str(one["content"]), int(one["items"]), datetime.fromisoformat(one["at"]))
            for one in fields.get("forgotten", ())
        ),
    )
    if pedigree.id != fields["id"]:
        raise ValueError(f"id {fields['id']!r} is not that of the files, {pedigree.id}")
    return pedigree
