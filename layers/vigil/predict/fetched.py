"""Releases that were fetched: opened aside, proven, and only then allowed to serve."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock

from vigil.errors import BrokenRelease, VigilError
from vigil.predict.golden import prove
from vigil.predict.release import open_release, part_of
from vigil.predict.shelf import Pipeline
from vigil.seeing import Model

AGAIN_S = 15.0
"""A release that could not be had is asked for again no sooner."""

Fetch = Callable[[str, str, Path], None]
"""Writes the files of (model, release) into a folder, verified. Raises VigilError."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What opening a release takes.

    aside   runs a task in the background; unless given, at once
    missed  hears of a release that cannot serve: model, release, why; unless given, nobody does
    """

    folder: Path
    fetch: Fetch
    pipelines: Mapping[str, Pipeline]
    aside: Callable[[Callable[[], None]], None] = lambda task: task()
    missed: Callable[[str, str, str], None] = lambda *_: None


@dataclass
class Fetched:
    """At most two fetched releases a model are kept open: the one that serves, and the one on trial."""

    workshop: Workshop
    _open: dict[tuple[str, str], Model] = field(default_factory=dict)
    _serving: dict[str, Model] = field(default_factory=dict)
    _busy: set[tuple[str, str]] = field(default_factory=set)
    _failed: dict[tuple[str, str], float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def now_or_soon(self, model: str, release: str) -> Model | None:
        """The release; while it is on its way, the one that served before.

        Where none served yet this container is starting, and waits for it. None where it cannot be had.
        """
        before = self._serving.get(model)
        if before is not None and before.release == release:
            return before
        if before is None:
            self._make(model, release)
        ready = self.soon(model, release)
        if ready is None:
            return before
        self.serving(model, ready)
        return ready

    def soon(self, model: str, release: str) -> Model | None:
        """The release if it is ready; if not, it is fetched meanwhile."""
        ready = self._open.get((model, release))
        if ready is None and self._may(model, release):
            self.workshop.aside(lambda: self._make(model, release))
        return ready or self._open.get((model, release))

    def serving(self, model: str, release: Model) -> None:
        """This one answers from now on; releases before it are let go."""
        before, self._serving[model] = self._serving.get(model), release
        if before is not None and before.release != release.release:
            self._open.pop((model, before.release), None)
            shutil.rmtree(self.workshop.folder / before.release, ignore_errors=True)

    def _may(self, model: str, release: str) -> bool:
        key = (model, release)
        return key not in self._busy and time.monotonic() - self._failed.get(key, -AGAIN_S) >= AGAIN_S

    def _make(self, model: str, release: str) -> None:
        with self._lock:
            if (model, release) in self._open or not self._may(model, release):
                return
            self._busy.add((model, release))
        try:
            self._open[model, release] = self.opened(model, release)
        except (VigilError, OSError) as fault:
            self._failed[model, release] = time.monotonic()
            self.workshop.missed(model, release, str(fault))
        finally:
            self._busy.discard((model, release))

    def opened(self, model: str, release: str) -> Model:
        """Fetch, verify, prove, open. Raises VigilError, or OSError where /tmp is full."""
        root = self.workshop.folder / release
        shutil.rmtree(root, ignore_errors=True)
        (root / model).mkdir(parents=True)
        self.workshop.fetch(model, release, root / model)
        found = open_release(root, model)
        if found.id != release:
            raise BrokenRelease(f"the files of {model} {release} are those of {found.id}")
        prove(found)
        kind = found.card.choice("pipeline.kind", tuple(self.workshop.pipelines))
        return self.workshop.pipelines[kind](found, partial(part_of, found))
