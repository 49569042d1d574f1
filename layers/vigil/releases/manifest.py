"""The manifest of a release: its files, licence and quality, and the data and recipe it was trained with."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from vigil.errors import VigilError
from vigil.inference.release import content_id


class InvalidReleaseManifest(VigilError):
    """The text is not a manifest, or its id does not match its content."""


@dataclass(frozen=True, slots=True)
class RemovedTrainingData:
    """Items that were removed from the dataset after the release was trained on it.

    remaining_dataset_id  the id of the remaining content
    """

    remaining_dataset_id: str
    removed_items: int
    removed_at: datetime


@dataclass(frozen=True, slots=True)
class ReleaseManifest:
    """Describes one release; valid for exactly the files with these digests.

    digests        sha256 of each file in hex, including the card
    card           the card's text with all measured quality
    quality        the card's figures on the whole test split: {"accuracy": 0.97}
    parent         the release that it was trained to replace; None for a first
    dataset_id     the dataset that it was trained on; None if it was not trained here
    recipe_sha256  in hex; None likewise
    removed_data   training data removed since: people erased, consent withdrawn
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
        """The release id that results refer to."""
        return content_id(self.digests)


def verify_file(manifest: ReleaseManifest, name: str, data: bytes) -> bytes:
    """The bytes if their digest is the file's. Raises InvalidReleaseManifest."""
    digest = hashlib.sha256(data).hexdigest()
    if manifest.digests.get(name) != digest:
        raise InvalidReleaseManifest(
            f"{manifest.model}/{name} has digest {digest[:16]}, which is not in release {manifest.id}"
        )
    return data


def mark_removed(manifest: ReleaseManifest, removed: RemovedTrainingData) -> ReleaseManifest:
    """The manifest with a removal; adding the same removal twice has no effect."""
    if removed.remaining_dataset_id in {one.remaining_dataset_id for one in manifest.removed_data}:
        return manifest
    return replace(manifest, removed_data=(*manifest.removed_data, removed))


def format_release_manifest(manifest: ReleaseManifest) -> bytes:
    """The manifest as JSON, with its id."""
    fields = {"id": manifest.id, **msgspec.to_builtins(manifest)}
    return msgspec.json.format(msgspec.json.encode(fields, order="sorted"), indent=1) + b"\n"


def parse_release_manifest(data: bytes) -> ReleaseManifest:
    """Raises InvalidReleaseManifest."""
    try:
        stated_id = msgspec.json.decode(data, type=_ManifestId).id
        manifest = msgspec.json.decode(data, type=ReleaseManifest)
    except msgspec.MsgspecError as error:
        raise InvalidReleaseManifest(f"not a release manifest: {error}") from error
    if manifest.id != stated_id:
        raise InvalidReleaseManifest(f"id {stated_id!r} does not match the files, whose id is {manifest.id}")
    return manifest


class _ManifestId(msgspec.Struct):
    id: str
