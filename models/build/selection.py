"""Which models a deployment has: nobody downloads the models of other tasks for a door."""

from collections.abc import Collection, Mapping

from models.build.files import BuildFailure
from vigil.inference.card import ModelCard

ON_REQUEST = frozenset(
    {
        "audio-keywords",
        "audio-speech",
        "image-classify",
        "image-detect",
        "text-embed",
        "transaction-fraud",
    }
)
"""Bundled models that are built only for a deployment that names them."""


def select_models(
    cards: Mapping[str, ModelCard], names: Collection[str], built: Collection[str]
) -> dict[str, ModelCard]:
    """The cards of the models to build, with their parts.

    names  without names: all that need no request, and those that were built before
    """
    if unknown := sorted(set(names) - cards.keys()):
        raise BuildFailure(f"There is no model {', '.join(unknown)}; there are: {', '.join(sorted(cards))}.")
    requested = names or [name for name in cards if name not in ON_REQUEST or name in built]
    selected = {part for name in requested for part in (name, *_parts(cards, name))}
    return {name: cards[name] for name in cards if name in selected}


def _parts(cards: Mapping[str, ModelCard], name: str) -> list[str]:
    """The models of which a composite model consists, and theirs."""
    direct = [part for part in cards[name].pipeline.parts.values() if part in cards]
    return [*direct, *(inner for part in direct for inner in _parts(cards, part))]
