"""Port Trials: the pointers in force say who sees a drop; a release that is not at hand is done without."""

from collections.abc import Callable

from vigil.drops import Drop
from vigil.errors import DamagedRelease, UnknownModel
from vigil.flow.trial import Cast
from vigil.learn.release import Pointers, answers, looks_on
from vigil.learn.trial import Trial
from vigil.learn.vitals import Vital
from vigil.predict.fetched import Fetched
from vigil.seeing import Model, Models


class Casting:
    """pointers  of a model, as they were known seconds ago; never raises
    fetched   releases that were fetched and proven
    note      where trials are kept
    pulse     told what the active release showed, and the pointers under which it did
    """

    def __init__(
        self,
        pointers: Callable[[str], Pointers],
        fetched: Fetched,
        note: Callable[[Trial], None],
        pulse: Callable[[Vital, Pointers], None],
    ) -> None:
        self._pointers, self._fetched, self._note, self._pulse = pointers, fetched, note, pulse

    def cast(self, drop: Drop, models: Models) -> Cast:
        pointers = self._pointers(drop.model)
        active = self.active(drop.model, models)
        if pointers.candidate is None:
            return Cast(active)
        candidate = self._fetched.soon(drop.model, pointers.candidate)
        if candidate is None:
            return Cast(active)
        if answers(pointers, drop.id) == pointers.candidate:
            return Cast(candidate, active, pointers.candidate)
        beside = candidate if looks_on(pointers, drop.id) else None
        return Cast(active, beside, pointers.candidate)

    def keep(self, trial: Trial) -> None:
        self._note(trial)

    def watch(self, vital: Vital) -> None:
        self._pulse(vital, self._pointers(vital.model))

    def active(self, name: str, models: Models) -> Model:
        """The active release; else the one that served last; else the bundled one.

        Raises UnknownModel, or DamagedRelease where the bundled one is and no other is at hand.
        """
        pointers = self._pointers(name)
        if pointers.active is None:
            return models.get(name)
        bundled = _bundled(name, models)
        if bundled is not None and bundled.release == pointers.active:
            self._fetched.serving(name, bundled)
            return bundled
        return self._fetched.now_or_soon(name, pointers.active) or bundled or models.get(name)


class ActiveModels:
    """Port Models, for whoever asks without a drop: the active release of each."""

    def __init__(self, casting: Casting, bundled: Models) -> None:
        self._casting, self._bundled = casting, bundled

    def get(self, name: str) -> Model:
        return self._casting.active(name, self._bundled)


def _bundled(name: str, models: Models) -> Model | None:
    """What came with this container; a damaged one is as good as none where the active one can be fetched."""
    try:
        return models.get(name)
    except (UnknownModel, DamagedRelease):
        return None
