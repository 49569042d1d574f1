"""Where models come from: releases bundled with the deployment, and a cache of releases fetched later."""

import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock

from vigil.errors import BrokenRelease, UnknownModel, VigilError
from vigil.inference.release import CARD_FILE, RELEASE_FILE, Release, load_card, open_part, open_release
from vigil.inference.session import verify_golden
from vigil.inference.types import Model
from vigil.toml_file import InvalidToml

MODEL_NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")

OpenPart = Callable[[str], Release]
"""Opens the release of a part of a composite model by the part's name."""

ModelFactory = Callable[[Release, OpenPart], Model]
"""Opens a release as a model that is ready to run."""


MAX_OPEN_BYTES = 300_000_000
"""Files of all open models; a session takes about twice as much memory."""


class BundledModels:
    """Port Models on a folder of releases; each release is opened by the factory of its card's kind.

    When the files of the open models exceed `max_open_bytes`, those that were used least recently are closed.
    """

    def __init__(
        self, models_dir: Path, factories: Mapping[str, ModelFactory], max_open_bytes: int = MAX_OPEN_BYTES
    ) -> None:
        self._root, self._max_open_bytes = models_dir, max_open_bytes
        self.factories: Mapping[str, ModelFactory] = dict(factories)
        self._models: dict[str, Model] = {}
        self._used_at: dict[str, float] = {}
        self._bytes: dict[str, int] = {}
        self._lock = Lock()

    def get(self, name: str) -> Model:
        """The model, loaded at its first use. Raises UnknownModel, which names the models that exist."""
        if (model := self._models.get(name)) is not None:
            self._used_at[name] = time.monotonic()
            return model
        with self._lock:
            if (model := self._models.get(name)) is None:
                model = self._models[name] = self._load(name)
                self._used_at[name] = time.monotonic()
                self._close_least_used(name)
            return model

    def _close_least_used(self, newest: str) -> None:
        for name in sorted(self._models, key=self._used_at.__getitem__):
            if name != newest and sum(self._bytes.values()) > self._max_open_bytes:
                del self._models[name], self._bytes[name]

    def _file_bytes(self, release: Release) -> int:
        """Size of a model's files, with those of its parts."""
        folders = [self._root / one for one in (release.name, *release.card.pipeline.parts.values())]
        return sum(path.stat().st_size for folder in folders for path in folder.iterdir())

    def names(self) -> tuple[str, ...]:
        """All models that are served, sorted."""
        folders = self._root.iterdir() if self._root.is_dir() else ()
        return tuple(sorted(folder.name for folder in folders if self._is_served(folder)))

    def open_part(self, name: str) -> Release:
        """A release by name, served by itself or not. Raises InvalidToml if there is none."""
        if not MODEL_NAME_PATTERN.fullmatch(name):
            raise InvalidToml(f"{name!r} is not a valid name of a model")
        return open_release(self._root, name)

    def _load(self, name: str) -> Model:
        release = open_release(self._root, name) if self._exists(name) else None
        if release is None or release.card.pipeline.kind not in self.factories:
            raise UnknownModel(f"no model {name[:80]!r}; there are: {', '.join(self.names()) or 'none'}")
        model = self.factories[release.card.pipeline.kind](release, self.open_part)
        self._bytes[name] = self._file_bytes(release)
        return model

    def _exists(self, name: str) -> bool:
        """A folder without its card but with release.json is damaged, not unknown."""
        folder = self._root / name
        return bool(MODEL_NAME_PATTERN.fullmatch(name)) and any(
            (folder / file).is_file() for file in (CARD_FILE, RELEASE_FILE)
        )

    def _is_served(self, folder: Path) -> bool:
        card = folder / CARD_FILE
        return card.is_file() and load_card(card).pipeline.kind in self.factories


RETRY_AFTER_S = 15.0
"""Time between two attempts to fetch one release."""

FetchRelease = Callable[[str, str, Path], None]
"""Writes the verified files of (model, release) into a folder. Raises VigilError."""


@dataclass(frozen=True, slots=True)
class ReleaseCacheConfig:
    """How releases are fetched and opened.

    run_in_background  runs a task concurrently; the default runs it at once
    on_failure         is called with model, release and reason if a release cannot be used
    """

    folder: Path
    fetch: FetchRelease
    factories: Mapping[str, ModelFactory]
    run_in_background: Callable[[Callable[[], None]], None] = lambda task: task()
    on_failure: Callable[[str, str, str], None] = lambda *_: None


@dataclass
class ReleaseCache:
    """Fetched releases, at most two open for each model: the serving one and the candidate."""

    config: ReleaseCacheConfig
    _models: dict[tuple[str, str], Model] = field(default_factory=dict)
    _serving: dict[str, Model] = field(default_factory=dict)
    _in_progress: set[tuple[str, str]] = field(default_factory=set)
    _failed_at: dict[tuple[str, str], float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def get_or_previous(self, model: str, release: str) -> Model | None:
        """The release, or while it is being fetched the one that served before.

        A container in which none has served yet waits for the release. None if it cannot be fetched.
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
        """The release if it is ready; otherwise start to fetch it."""
        ready = self._models.get((model, release))
        if ready is None and self._may_fetch(model, release):
            self.config.run_in_background(lambda: self._fetch_into_cache(model, release))
        return ready or self._models.get((model, release))

    def mark_serving(self, model: str, release: Model) -> None:
        """Serve this release from now on, and delete the one before it."""
        previous, self._serving[model] = self._serving.get(model), release
        if previous is not None and previous.release != release.release:
            self._models.pop((model, previous.release), None)
            shutil.rmtree(self.config.folder / previous.release, ignore_errors=True)

    def _may_fetch(self, model: str, release: str) -> bool:
        key = (model, release)
        failed_at = self._failed_at.get(key, -RETRY_AFTER_S)
        return key not in self._in_progress and time.monotonic() - failed_at >= RETRY_AFTER_S

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
        """Fetch, check the id and the golden outputs, open. Raises VigilError, or OSError on a full disk."""
        root = self.config.folder / release
        shutil.rmtree(root, ignore_errors=True)
        (root / model).mkdir(parents=True)
        self.config.fetch(model, release, root / model)
        opened = open_release(root, model)
        if opened.id != release:
            raise BrokenRelease(f"the files of {model} {release} are those of {opened.id}")
        kind, factories = opened.card.pipeline.kind, self.config.factories
        if kind not in factories:
            kinds = ", ".join(factories)
            raise InvalidToml(f"{opened.card_file.file}: pipeline.kind is {kind!r}; there are: {kinds}")
        ready = factories[kind](opened, partial(open_part, opened))
        verify_golden(opened, ready)
        return ready
