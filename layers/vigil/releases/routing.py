"""Chooses the releases for a drop from the pointers, and opens the releases that are in use."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from vigil.drops.messages import Drop
from vigil.drops.prediction import ReleaseAssignment
from vigil.errors import BrokenRelease, DamagedRelease, UnknownModel
from vigil.inference.repository import ReleaseCache
from vigil.inference.types import Model, Models
from vigil.releases.lifecycle import ReleasePointers, release_for, shadow_release_for

if TYPE_CHECKING:
    from vigil.releases.rollout import ModelReleases


class RolloutRouter:
    """Ports ReleaseRouter and Models: the pointers name the releases; one that is not at hand is replaced.

    pointers  of a model, as they were some seconds ago; never raises
    cache     downloaded and verified releases
    bundled   the models that ship with the functions
    """

    def __init__(
        self, pointers: Callable[[str], ReleasePointers], cache: ReleaseCache, bundled: Models
    ) -> None:
        self._pointers, self._cache, self._bundled = pointers, cache, bundled

    def assign(self, drop: Drop) -> ReleaseAssignment:
        pointers, active = self._pointers(drop.model), self.get(drop.model)
        if pointers.candidate is None:
            return ReleaseAssignment(active)
        candidate = self._cache.get_or_prefetch(drop.model, pointers.candidate)
        if candidate is None:
            return ReleaseAssignment(active)
        if release_for(pointers, drop.id) == pointers.candidate:
            return ReleaseAssignment(candidate, active, pointers.candidate)
        shadow = candidate if shadow_release_for(pointers, drop.id) else None
        return ReleaseAssignment(active, shadow, pointers.candidate)

    def get(self, name: str) -> Model:
        """The active release; else the one that served last; else the bundled one.

        Raises UnknownModel, or DamagedRelease if the bundled release is damaged and no other is at hand.
        """
        pointers = self._pointers(name)
        if pointers.active is None:
            return self._bundled.get(name)
        bundled = _bundled_or_none(name, self._bundled)
        if bundled is not None and bundled.release == pointers.active:
            self._cache.mark_serving(name, bundled)
            return bundled
        return self._cache.get_or_previous(name, pointers.active) or bundled or self._bundled.get(name)


def _bundled_or_none(name: str, models: Models) -> Model | None:
    """The bundled release; None if it is damaged, because the active one may be downloaded."""
    try:
        return models.get(name)
    except (UnknownModel, DamagedRelease):
        return None


class ReleasesInUse:
    """The opened releases of a model for which templates are stored: active, candidate or next, and previous.

    read_releases  consistent read; raises Transient
    open_release   downloads, verifies and opens a release by its id; raises BrokenRelease, Transient
    """

    def __init__(
        self,
        name: str,
        *,
        bundled: Models,
        read_releases: "Callable[[], ModelReleases]",
        open_release: Callable[[str], Model],
    ) -> None:
        self._name, self._bundled, self._read_releases, self._open_release = (
            name,
            bundled,
            read_releases,
            open_release,
        )
        self._models: dict[str, Model] = {}

    def release_ids(self) -> tuple[str, ...]:
        """Active, candidate or the next registered one, and previous. Raises Transient."""
        releases = self._read_releases()
        pointers = releases.pointers
        waiting = [one.state for one in releases.records if one.state.stage == "registered"]
        following = min(waiting, key=lambda life: life.since).release if waiting else None
        candidates = (
            pointers.active or self._bundled_release_id(),
            pointers.candidate or following,
            pointers.previous,
        )
        used = tuple(dict.fromkeys(release for release in candidates if release is not None))
        self._models = {release: model for release, model in self._models.items() if release in used}
        return used

    def active_model(self) -> Model:
        """Raises BrokenRelease, Transient."""
        return self.get_model(self.release_ids()[0])

    def all_models(self) -> tuple[Model, ...]:
        """The active one first; the others without those that are broken. Raises Transient."""
        first, *others = self.release_ids()
        return (self.get_model(first), *(one for one in map(self._get_or_none, others) if one is not None))

    def get_model(self, release: str) -> Model:
        """Raises BrokenRelease, Transient."""
        if release not in self._models:
            self._models[release] = self._load_model(release)
        return self._models[release]

    def _get_or_none(self, release: str) -> Model | None:
        try:
            return self.get_model(release)
        except BrokenRelease:
            return None

    def _bundled_release_id(self) -> str:
        return self._bundled.get(self._name).release

    def _load_model(self, release: str) -> Model:
        try:
            bundled = self._bundled.get(self._name)
        except UnknownModel:
            return self._open_release(release)
        return bundled if bundled.release == release else self._open_release(release)
