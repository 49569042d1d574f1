"""The models of a deployment: a folder each, opened at first use by the pipeline that its card names."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock

from vigil.errors import UnknownModel
from vigil.predict.release import CARD, RELEASE, Release, open_release
from vigil.predict.table import BadCard, read
from vigil.seeing import Model

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")

Part = Callable[[str], Release]
"""Opens a neighbouring release by name: a composite model's parts."""

Pipeline = Callable[[Release, Part], Model]
"""Makes a model that is ready to run from its release."""


class Shelf:
    """Port Models, over a folder of releases. What kinds of model there are is handed in."""

    def __init__(self, models_dir: Path, pipelines: Mapping[str, Pipeline]) -> None:
        self._root = models_dir
        self.pipelines: Mapping[str, Pipeline] = dict(pipelines)
        self._open: dict[str, Model] = {}
        self._lock = Lock()

    def get(self, name: str) -> Model:
        """Load at first use, then keep. Raises UnknownModel, naming those there are."""
        if (model := self._open.get(name)) is not None:
            return model
        with self._lock:
            if name not in self._open:
                self._open[name] = self._load(name)
            return self._open[name]

    def names(self) -> tuple[str, ...]:
        """Every model that can be asked for, in order."""
        folders = self._root.iterdir() if self._root.is_dir() else ()
        return tuple(sorted(folder.name for folder in folders if self._served(folder)))

    def part(self, name: str) -> Release:
        """A release by name, served by itself or not. Raises BadCard where there is none."""
        if not NAME.fullmatch(name):
            raise BadCard(f"{name!r} is no model's name")
        return open_release(self._root, name)

    def _load(self, name: str) -> Model:
        release = open_release(self._root, name) if self._there(name) else None
        kind = release.card.text("pipeline.kind") if release else ""
        if release is None or kind not in self.pipelines:
            raise UnknownModel(f"no model {name[:80]!r}; there are: {', '.join(self.names()) or 'none'}")
        return self.pipelines[kind](release, self.part)

    def _there(self, name: str) -> bool:
        """A folder that lost its card is damaged; it is not unknown."""
        folder = self._root / name
        return bool(NAME.fullmatch(name)) and any((folder / file).is_file() for file in (CARD, RELEASE))

    def _served(self, folder: Path) -> bool:
        card = folder / CARD
        return card.is_file() and read(card).text("pipeline.kind") in self.pipelines
