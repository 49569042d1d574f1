"""The cards of the deployed models, without their graphs: what each reads, and which release it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vigil.inference.release import CARD_FILE, open_release


@dataclass(frozen=True, slots=True)
class DeployedModel:
    """One model that can be asked for.

    text  the card itself, TOML
    """

    name: str
    release: str
    suffixes: tuple[str, ...]
    max_bytes: int
    text: str
    card: Mapping[str, Any]


def read_deployed_models(folder: Path) -> dict[str, DeployedModel]:
    """Every model that serves by itself; parts of others have no list of files that they accept."""
    found = [_read_deployed_model(folder, card.parent.name) for card in sorted(folder.glob(f"*/{CARD_FILE}"))]
    return {card.name: card for card in found if card.suffixes}


def _read_deployed_model(folder: Path, name: str) -> DeployedModel:
    release = open_release(folder, name)
    card = release.card
    serves = "accepts.suffixes" in card
    return DeployedModel(
        name=name,
        release=release.id,
        suffixes=card.get_strs("accepts.suffixes") if serves else (),
        max_bytes=card.get_int("accepts.max_bytes") if serves else 0,
        text=release.read_file(CARD_FILE).decode(),
        card=card.values,
    )
