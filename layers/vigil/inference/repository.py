"""The models of a deployment: a folder each, opened at first use by the pipeline that its card names."""

import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock

from vigil.errors import BrokenRelease, UnknownModel, VigilError
from vigil.inference.card import load_toml
from vigil.inference.release import (
    CARD_FILE,
    RELEASE_FILE,
    Release,
    open_part,
    open_release,
)
from vigil.inference.session import verify_golden
from vigil.inference.types import Model
from vigil.toml_file import InvalidToml

MODEL_NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")

OpenPart = Callable[[str], Release]
"""Opens a neighbouring release by name: a composite model's parts."""

ModelFactory = Callable[[Release, OpenPart], Model]
"""Makes a model that is ready to run from its release."""


class BundledModels:
    """Port Models, over a folder of releases. What kinds of model there are is handed in."""

    def __init__(self, models_dir: Path, factories: Mapping[str, ModelFactory]) -> None:
        self._root = models_dir
        self.factories: Mapping[str, ModelFactory] = dict(factories)
        self._models: dict[str, Model] = {}
        self._lock = Lock()

    def get(self, name: str) -> Model:
        """Load at first use, then keep. Raises UnknownModel, naming those there are."""
        if (model := self._models.get(name)) is not None:
            return model
        with self._lock:
            if name not in self._models:
                self._models[name] = self._load(name)
            return self._models[name]

    def names(self) -> tuple[str, ...]:
        """Every model that can be asked for, in order."""
        folders = self._root.iterdir() if self._root.is_dir() else ()
        return tuple(sorted(folder.name for folder in folders if self._is_served(folder)))

    def open_part(self, name: str) -> Release:
        """A release by name, served by itself or not. Raises BadCard where there is none."""
        if not MODEL_NAME_PATTERN.fullmatch(name):
            raise InvalidToml(f"{name!r} is no model's name")
        return open_release(self._root, name)

    def _load(self, name: str) -> Model:
        release = open_release(self._root, name) if self._exists(name) else None
        kind = release.card.get_str("pipeline.kind") if release else ""
        if release is None or kind not in self.factories:
            raise UnknownModel(f"no model {name[:80]!r}; there are: {', '.join(self.names()) or 'none'}")
        return self.factories[kind](release, self.open_part)

    def _exists(self, name: str) -> bool:
        """A folder that lost its card is damaged; it is not unknown."""
        folder = self._root / name
        return bool(MODEL_NAME_PATTERN.fullmatch(name)) and any(
            (folder / file).is_file() for file in (CARD_FILE, RELEASE_FILE)
        )

    def _is_served(self, folder: Path) -> bool:
        card = folder / CARD_FILE
        return card.is_file() and load_toml(card).get_str("pipeline.kind") in self.factories


# MERGED: Releases that were fetched: opened aside, proven, and only then allowed to serve.

RETRY_AFTER_S = 15.0
"""A release that could not be had is asked for again no sooner."""

FetchRelease = Callable[[str, str, Path], None]
"""Writes the files of (model, release) into a folder, verified. Raises VigilError."""


@dataclass(frozen=True, slots=True)
class ReleaseCacheConfig:
    """What opening a release takes.

    aside   runs a task in the background; unless given, at once
    missed  hears of a release that cannot serve: model, release, why; unless given, nobody does
    """

    folder: Path
    fetch: FetchRelease
    factories: Mapping[str, ModelFactory]
    run_in_background: Callable[[Callable[[], None]], None] = lambda task: task()
    on_failure: Callable[[str, str, str], None] = lambda *_: None


@dataclass
class ReleaseCache:
    """At most two fetched releases a model are kept open: the one that serves, and the one on trial."""

    config: ReleaseCacheConfig
    _models: dict[tuple[str, str], Model] = field(default_factory=dict)
    _serving: dict[str, Model] = field(default_factory=dict)
    _in_progress: set[tuple[str, str]] = field(default_factory=set)
    _failed_at: dict[tuple[str, str], float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def get_or_previous(self, model: str, release: str) -> Model | None:
        """The release; while it is on its way, the one that served before.

        Where none served yet this container is starting, and waits for it. None where it cannot be had.
        """
        previous = self._serving.get(model)
        if previous is not None and previous.release == release:
            return previous
        if previous is None:
            self._fetch_into_cache(model, release)
        ready = self.get_or_prefetch(model, release)
        if ready is None:
            return previous
        self.mark_serving(model, ready)
        return ready

    def get_or_prefetch(self, model: str, release: str) -> Model | None:
        """The release if it is ready; if not, it is fetched meanwhile."""
        ready = self._models.get((model, release))
        if ready is None and self._may_fetch(model, release):
            self.config.run_in_background(lambda: self._fetch_into_cache(model, release))
        return ready or self._models.get((model, release))

    def mark_serving(self, model: str, release: Model) -> None:
        """This one answers from now on; releases before it are let go."""
        previous, self._serving[model] = self._serving.get(model), release
        if previous is not None and previous.release != release.release:
            self._models.pop((model, previous.release), None)
            shutil.rmtree(self.config.folder / previous.release, ignore_errors=True)

    def _may_fetch(self, model: str, release: str) -> bool:
        key = (model, release)
        return (
            key not in self._in_progress
            and time.monotonic() - self._failed_at.get(key, -RETRY_AFTER_S) >= RETRY_AFTER_S
        )

    def _fetch_into_cache(self, model: str, release: str) -> None:
        with self._lock:
            if (model, release) in self._models or not self._may_fetch(model, release):
                return
            self._in_progress.add((model, release))
        try:
            self._models[model, release] = self.fetch_and_open(model, release)
        except (VigilError, OSError) as fault:
            self._failed_at[model, release] = time.monotonic()
            self.config.on_failure(model, release, str(fault))
        finally:
            self._in_progress.discard((model, release))

    def fetch_and_open(self, model: str, release: str) -> Model:
        """Fetch, verify, prove, open. Raises VigilError, or OSError where /tmp is full."""
        root = self.config.folder / release
        shutil.rmtree(root, ignore_errors=True)
        (root / model).mkdir(parents=True)
        self.config.fetch(model, release, root / model)
        opened_release = open_release(root, model)
        if opened_release.id != release:
            raise BrokenRelease(f"the files of {model} {release} are those of {opened_release.id}")
        verify_golden(opened_release)
        kind = opened_release.card.get_choice("pipeline.kind", tuple(self.config.factories))
        return self.config.factories[kind](opened_release, partial(open_part, opened_release))
