"""The kinds of models that need no code of their own; the code of a kind is loaded with its first model."""

from collections.abc import Mapping

from vigil.inference.release import Release
from vigil.inference.repository import ModelFactory, OpenPart
from vigil.inference.types import Model


def _open_classifier(release: Release, open_part: OpenPart) -> Model:
    from vigil.inference.classifier import open_classifier  # noqa: PLC0415

    return open_classifier(release, open_part)


def _open_network(release: Release, open_part: OpenPart) -> Model:
    from vigil.inference.network.model import open_network  # noqa: PLC0415

    return open_network(release, open_part)


def _open_stages(release: Release, open_part: OpenPart) -> Model:
    from vigil.inference.network.stages import open_stages  # noqa: PLC0415

    return open_stages(release, open_part)


CARD_KINDS: Mapping[str, ModelFactory] = {
    "classifier": _open_classifier,
    "network": _open_network,
    "stages": _open_stages,
}
