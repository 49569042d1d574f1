"""The cards of the deployed models, read without their networks."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vigil.inference.release import CARD_FILE, open_release


@dataclass(frozen=True, slots=True)
class DeployedModel:
    """A model that accepts files."""

    name: str
    release: str
    suffixes: tuple[str, ...]
    max_bytes: int
    card: Mapping[str, Any]


def read_deployed_models(folder: Path) -> dict[str, DeployedModel]:
    """The models in a folder by name, without parts of other models, which accept no files."""
    found = [_read_deployed_model(folder, card.parent.name) for card in sorted(folder.glob(f"*/{CARD_FILE}"))]
    return {card.name: card for card in found if card.suffixes}


def _read_deployed_model(folder: Path, name: str) -> DeployedModel:
    release = open_release(folder, name)
    accepts = release.card.accepts
    return DeployedModel(
        name=name,
        release=release.id,
        suffixes=tuple(release.card_file.values["accepts"]["suffixes"]) if accepts else (),
        max_bytes=accepts.max_bytes if accepts else 0,
        card=release.card_file.values,
    )
