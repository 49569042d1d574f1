"""The way of one drop: claim, read, look, judge, keep; whatever happens, the ledger knows."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Literal

from vigil.drops import Drop, Inline, Misfit
from vigil.errors import DamagedRelease, ObjectTooLarge, Rejected, Transient, WrongType
from vigil.flow.foremost import foremost, noted
from vigil.flow.stages import Stages
from vigil.flow.trial import NoTrials, Performance, Trials, seen, tell
from vigil.ports import Clock, Notice, Objects, Reliefs, Watches, no_relief, unnoticed
from vigil.seeing import Model, Models, Scene
from vigil.steady.bursts import Bursts
from vigil.steady.degrade import NOTE, Eased, eased
from vigil.steady.ledger import Claim, Held, Ledger, Overtaken, Result, Settled
from vigil.watch.alerts import Alert
from vigil.watch.judge import judge
from vigil.watch.rules import Watch

OVERTAKEN_TRIES = 5

LEAST = 0.5
"""A drop is begun with this share of a lease before it: killed with its worker when the time of a batch is
up, it would look like an input that kills workers."""


@dataclass(frozen=True, slots=True)
class World:
    """The ports that processing needs.

    notice  is told what a release saw in a drop, once that is kept
    bursts  remembers, as long as the container lives, where bursts began
    """

    ledger: Ledger
    objects: Objects
    models: Models
    watch: Watches
    clock: Clock
    relief: Reliefs = no_relief
    trials: Trials = field(default_factory=NoTrials)
    notice: Notice = unnoticed
    bursts: Bursts = field(default_factory=Bursts)


@dataclass(frozen=True, slots=True)
class Shift:
    """One invocation: its name, when the runtime will end it, and how long a lease it takes at once."""

    owner: str
    ends: datetime
    lease: timedelta


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one delivery of a drop ended, for logs and metrics."""

    drop: str
    outcome: Literal["done", "rejected", "duplicate"]
    attempt: int
    release: str = ""
    reason: str = ""
    sightings: int = 0
    alerts: int = 0
    times_ms: dict[str, float] | None = None


class Busy(Transient):
    """Another worker holds the drop; `until` says when its lease ends."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"held by another worker until {until.isoformat()}")
        self.until = until


class Hurried(Transient):
    """Too little of the invocation is left to begin another drop."""


def process(drop: Drop | Misfit, world: World, shift: Shift) -> Verdict:
    """Bring one drop to its end, at most once.

    Raises Busy, Hurried, Transient, or whatever bug there is: the ledger then holds the stage and the error,
    the lease is let go, and the queue delivers again.
    """
    now = world.clock()
    if shift.ends - now < shift.lease * LEAST:
        raise Hurried(f"begin {drop.id}: the invocation ends at {shift.ends.isoformat()}")
    claim = world.ledger.claim(drop, owner=shift.owner, now=now, until=_lease(shift, now))
    match claim:
        case Settled(_):
            return Verdict(drop.id, "duplicate", attempt=0)
        case Held(until):
            raise Busy(until)
    with _Tenure(claim, world, shift) as tenure:
        return _finish(drop, world, tenure)


def _finish(drop: Drop | Misfit, world: World, tenure: "_Tenure") -> Verdict:
    """Done, or rejected with the input's fault as the reason."""
    try:
        if isinstance(drop, Misfit):
            raise drop.rejection
        return _look(drop, world, tenure)
    except Rejected as fault:
        if isinstance(drop, Drop):
            world.bursts.broken(drop)
        world.ledger.reject(
            tenure.claim, reason=fault.reason, message=str(fault), stage=tenure.stages.now, now=world.clock()
        )
        times = tenure.stages.closed()
        return Verdict(drop.id, "rejected", tenure.claim.attempt, reason=fault.reason, times_ms=times)


def _look(drop: Drop, world: World, tenure: "_Tenure") -> Verdict:
    """What is seen is judged and kept; only then is another release compared.

    A frame that is left out of a burst is not even read.
    """
    cast, watch, stages = world.trials.cast(drop, world.models), world.watch(), tenure.stages
    tenure.release = cast.answers.release
    options = watch.source(drop.source).options
    ease = eased(drop, options, world.relief(), first=world.bursts.opens(drop))
    performance, scene = None, Scene((), found=0)
    if not ease.left_out:
        stages("read")
        data = _bytes(drop, cast.answers, world.objects)
        performance = Performance(cast, drop, data, ease.options)
        tenure.release, scene = seen(world.trials, performance, stages)
    scene = _noted(scene, ease)
    alerts = _keep(drop, scene, tenure.release, watch, world=world, tenure=tenure)
    world.notice(drop, tenure.release, scene)
    times = stages.closed()
    if performance is not None:
        tell(world.trials, performance)
    return Verdict(
        drop.id,
        "done",
        tenure.claim.attempt,
        release=tenure.release,
        sightings=len(scene.sightings),
        alerts=len(alerts),
        times_ms=times,
    )


def _noted(scene: Scene, ease: Eased) -> Scene:
    """The scene, saying what was given up for it."""
    if not ease.steps:
        return scene
    return replace(scene, notes={**scene.notes, NOTE: ",".join(ease.steps)})


def _keep(
    drop: Drop, scene: Scene, release: str, watch: Watch, *, world: World, tenure: "_Tenure"
) -> tuple[Alert, ...]:
    """Judge and keep; judge anew where another drop told of the same strangers in between."""
    for tries_left in reversed(range(OVERTAKEN_TRIES)):
        tenure.stages("judge")
        alerts, strangers = judge(scene, drop, watch, world.ledger.strangers)
        loud = [alert for alert in alerts if not world.ledger.silent(alert, now=world.clock())]
        alerts = foremost(loud, scene, drop.id)
        told = replace(scene, notes=noted(scene, len(loud) - len(alerts)))
        tenure.stages("keep")
        remember = watch.source(drop.source).remember
        result = Result(told, release, alerts, strangers, tenure.stages.closed(), remember)
        try:
            world.ledger.keep(tenure.claim, drop, result, now=world.clock())
        except Overtaken:
            if not tries_left:
                raise
        else:
            break
    return alerts


def _bytes(drop: Drop, model: Model, objects: Objects) -> bytes:
    if isinstance(drop.origin, Inline):
        if len(drop.origin.data) > model.max_bytes:
            raise ObjectTooLarge(f"{len(drop.origin.data)} bytes, {model.name} takes {model.max_bytes}")
        return drop.origin.data
    suffix = PurePosixPath(drop.origin.key).suffix.lower()
    if suffix and suffix not in model.suffixes:
        raise WrongType(f"{model.name} reads {', '.join(sorted(model.suffixes))}, not {suffix}")
    return objects.fetch(drop.origin, model.max_bytes)


def _lease(shift: Shift, now: datetime) -> datetime:
    return min(now + shift.lease, shift.ends)


class _Tenure:
    """A claim that is kept alive while stages pass, and let go when they fail.

    A first attempt renews only when half its lease is gone. A later one notes every stage, so
    that if the input kills its worker again, the ledger says where.
    """

    def __init__(self, claim: Claim, world: World, shift: Shift) -> None:
        self.claim, self.stages, self.release = claim, Stages(self._entered), ""
        self._world, self._shift = world, shift

    def __enter__(self) -> "_Tenure":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None:
            family = Transient if isinstance(error, Transient) else type(error)
            told = f"{family.__name__}: {error}"[:500]
            self._world.ledger.release(
                self.claim,
                stage=self.stages.now,
                error=told,
                now=self._world.clock(),
                model_release=error.release if isinstance(error, DamagedRelease) else self.release,
            )

    def _entered(self, stage: str) -> None:
        now = self._world.clock()
        if self.claim.attempt > 1 or self.claim.until - now < self._shift.lease / 2:
            until = _lease(self._shift, now)
            self.claim = self._world.ledger.renew(self.claim, stage=stage, until=until)
