"""Port Shelves: releases opened for an examination, the bundled ones among them."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import gettempdir

from cloud.depot import Depot
from cloud.lives import DynamoLives
from functions.settings import settings
from functions.wiring import client
from vigil.errors import BrokenRelease, UnknownModel
from vigil.learn.pedigree import Pedigree
from vigil.predict.classifier import Classifier
from vigil.predict.fetched import Fetched, Workshop
from vigil.predict.shelf import Shelf
from vigil.seeing import Model


class Examination:
    """Classifiers are examined on labels; what is compared with what is kept is examined on that."""

    def __init__(self, bundled: Shelf, lives: DynamoLives) -> None:
        self._bundled, self._lives = bundled, lives
        self._depot = Depot(client("s3"), settings().store_bucket)
        self._fetched = Fetched(
            Workshop(
                folder=Path(gettempdir()) / "examined",
                fetch=self._depot.fetch,
                pipelines=bundled.pipelines,
            )
        )

    def put(self, release: Pedigree, files: Mapping[str, bytes]) -> None:
        self._depot.put(release, files)

    def opened(self, model: str, release: str) -> Classifier:
        return _classifier(self.model(model, release))

    def model(self, model: str, release: str) -> Model:
        """A stored release of any kind, proven. Raises BrokenRelease, Transient."""
        return self._fetched.opened(model, release)

    def active(self, model: str) -> Classifier | None:
        release, bundled = self._lives.book(model).pointers.active, self._model(model)
        if bundled is not None and release in (None, bundled.release):
            return _classifier(bundled)
        return self.opened(model, release) if release else None

    def bundled(self, model: str) -> str | None:
        found = self._model(model)
        return found.release if found else None

    def _model(self, model: str) -> Model | None:
        try:
            return self._bundled.get(model)
        except UnknownModel:
            return None


def _classifier(model: Model) -> Classifier:
    if not isinstance(model, Classifier):
        raise BrokenRelease(f"{model.name} is no classifier: it cannot be examined")
    return model
