"""Bundled models as the runtime opens them, without the parts of the runtime that only serving needs."""

from pathlib import Path

from models.build.files import RELEASES
from vigil.inference.classifier import ClassifierCard
from vigil.inference.network.card import NetworkModelCard
from vigil.inference.network.check import as_network_card
from vigil.inference.network.model import NetworkModel
from vigil.inference.release import open_release


def open_network_model(name: str, releases: Path = RELEASES) -> NetworkModel:
    """A built model of kind "network" or "classifier". Raises InvalidToml if it is not built."""
    release = open_release(releases, name)
    if release.card.pipeline.kind == "classifier":
        return NetworkModel(release, as_network_card(release.convert_card(ClassifierCard)))
    return NetworkModel(release, release.convert_card(NetworkModelCard))
