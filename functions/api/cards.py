"""The cards of the deployed models, without their graphs: what each reads, and which release it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vigil.predict.release import CARD, open_release


@dataclass(frozen=True, slots=True)
class Card:
    """One model that can be asked for.

    text  the card itself, TOML
    """

    name: str
    release: str
    suffixes: tuple[str, ...]
    max_bytes: int
    text: str
    card: Mapping[str, Any]


def read_cards(folder: Path) -> dict[str, Card]:
    """Every model that serves by itself; parts of others have no list of files that they accept."""
    found = [_read(folder, card.parent.name) for card in sorted(folder.glob(f"*/{CARD}"))]
    return {card.name: card for card in found if card.suffixes}


def _read(folder: Path, name: str) -> Card:
    release = open_release(folder, name)
    card = release.card
    serves = "accepts.suffixes" in card
    return Card(
        name=name,
        release=release.id,
        suffixes=card.texts("accepts.suffixes") if serves else (),
        max_bytes=card.whole("accepts.max_bytes") if serves else 0,
        text=release.read(CARD).decode(),
        card=card.values,
    )
