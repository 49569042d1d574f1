"""What a release says of itself: its files, licence, quality, and what it was made from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from vigil.errors import VigilError
from vigil.inference.release import content_id


class InvalidReleaseManifest(VigilError):
    """The text is no pedigree, or its id is not its content's."""


@dataclass(frozen=True, slots=True)
class RemovedTrainingData:
    """What was taken out of the data set after the release had learned from it.

    content  id that the rest of the set would have
    items    how many went
    """

    remaining_dataset_id: str
    removed_items: int
    removed_at: datetime


@dataclass(frozen=True, slots=True)
class ReleaseManifest:
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
    dataset_id: str | None = None
    recipe_sha256: str | None = None
    removed_data: tuple[RemovedTrainingData, ...] = ()

    @property
    def id(self) -> str:
        """The release's id, as every result names it."""
        return content_id(self.digests)


def verify_file(manifest: ReleaseManifest, name: str, data: bytes) -> bytes:
    """The bytes, if they are the file of that name. Raises BadPedigree."""
    digest = hashlib.sha256(data).hexdigest()
    if manifest.digests.get(name) != digest:
        raise InvalidReleaseManifest(
            f"{manifest.model}/{name} is {digest[:16]}, not what release {manifest.id} was made of"
        )
    return data


def mark_removed(manifest: ReleaseManifest, removed: RemovedTrainingData) -> ReleaseManifest:
    """The pedigree with a mark; told twice, it is marked once."""
    if removed.remaining_dataset_id in {one.remaining_dataset_id for one in manifest.removed_data}:
        return manifest
    return replace(manifest, removed_data=(*manifest.removed_data, removed))


def format_release_manifest(manifest: ReleaseManifest) -> str:
    """The pedigree as text, its id beside it."""
    fields: dict[str, Any] = {"id": manifest.id, "model": manifest.model, "files": dict(manifest.digests)}
    fields |= {"licence": manifest.licence, "quality": dict(manifest.quality), "parent": manifest.parent}
    fields |= {
        "dataset_id": manifest.dataset_id,
        "recipe_sha256": manifest.recipe_sha256,
        "card": manifest.card,
    }
    if manifest.removed_data:
        fields["removed_data"] = [
            asdict(one) | {"removed_at": one.removed_at.isoformat()} for one in manifest.removed_data
        ]
    return json.dumps(fields, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def parse_release_manifest(text: str) -> ReleaseManifest:
    """A pedigree from its text. Raises BadPedigree."""
    try:
        manifest = _parse_fields(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidReleaseManifest(f"no pedigree: {error!r}") from error
    return manifest


def _parse_fields(fields: dict[str, Any]) -> ReleaseManifest:
    manifest = ReleaseManifest(
        model=str(fields["model"]),
        digests={str(name): str(digest) for name, digest in fields["files"].items()},
        licence=str(fields["licence"]),
        card=str(fields["card"]),
        quality={str(name): float(value) for name, value in fields["quality"].items()},
        parent=fields["parent"],
        dataset_id=fields["dataset_id"],
        recipe_sha256=fields["recipe_sha256"],
        removed_data=tuple(
            RemovedTrainingData(
                str(one["remaining_dataset_id"]),
                int(one["removed_items"]),
                datetime.fromisoformat(one["removed_at"]),
            )
            for one in fields.get("removed_data", ())
        ),
    )
    if manifest.id != fields["id"]:
        raise ValueError(f"id {fields['id']!r} is not that of the files, {manifest.id}")
    return manifest
