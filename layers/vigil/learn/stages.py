"""The next step of a model's releases, decided from what they have shown: at most one at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import quantiles

from vigil.learn.gates import Gate, Promote, Reject, Shown, Verdict, judge
from vigil.learn.interval import Interval, wilson
from vigil.learn.relapse import relapse
from vigil.learn.release import (
    Life,
    Pointers,
    Step,
    advance,
    promoted,
    rolled_back,
    shadowed,
    tried,
    withdrawn,
)
from vigil.learn.trial import Trial
from vigil.learn.vitals import Expected, Vitals

HARM = 3
"""A canary that broke on so many drops which the active release answered is withdrawn."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A release's life, and how it measured on the reviewed set.

    gain  over the release that was active; None where there was none
    """

    life: Life
    metric: Interval
    gain: Interval | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """All about one model's releases, as read; `revision` guards the pointers."""

    model: str
    pointers: Pointers
    revision: int
    standings: tuple[Standing, ...]

    def find(self, release: str | None) -> Standing | None:
        return next((one for one in self.standings if one.life.id == release), None)


@dataclass(frozen=True, slots=True)
class Change:
    """The pointers as they are to be, and every life that moves with them."""

    pointers: Pointers
    lives: tuple[Life, ...]


def decide(
    book: Book,
    seen: Sequence[Trial],
    gates: Mapping[str, Gate],
    now: datetime,
    *,
    vitals: Vitals = Vitals(),  # noqa: B008 - frozen
    ready: Callable[[str], bool] = lambda _: True,
) -> Change | None:
    """One step, or None. A bad active release comes first.

    seen    trials of the candidate, in its stage
    vitals  what the active release shows
    ready   whether a registered release has all that it needs to be tried
    """
    active, candidate = book.find(book.pointers.active), book.find(book.pointers.candidate)
    if active is not None and book.pointers.former is not None:
        reason = relapse(vitals, book.pointers.expected, active=now - active.life.since)
        if reason:
            return back(book, now, reason)
    if candidate is not None:
        return _tried(book, candidate, seen, gates, now)
    waiting = sorted(
        (one for one in book.standings if one.life.stage == "registered" and ready(one.life.id)), key=_age
    )
    return _begin(book, waiting[0], gates, now) if waiting else None


def back(book: Book, now: datetime, reason: str) -> Change | None:
    """The former release again; None where there is none. A candidate on trial is withdrawn with it."""
    pointers = book.pointers
    if pointers.former is None:
        return None
    lives = [_moved(book, pointers.active, "roll-back", now, reason)]
    lives.append(_moved(book, pointers.former, "restore", now, reason))
    lives.append(_moved(book, pointers.candidate, "reject", now, "its rival was rolled back"))
    return Change(rolled_back(pointers), tuple(life for life in lives if life is not None))


def shown(standing: Standing, seen: Sequence[Trial], now: datetime) -> Shown:
    """What a candidate has shown in its stage so far."""
    return Shown(
        drops=len(seen),
        errors=sum(trial.failed for trial in seen),
        errors_active=sum(trial.failed_other for trial in seen),
        agreed=sum(trial.agreed for trial in seen),
        latency_ms=_slowest([trial.ms for trial in seen if not trial.failed]),
        latency_ms_active=_slowest([trial.ms_other for trial in seen if not trial.failed_other]),
        metric=standing.metric,
        gain=standing.gain or Interval(0.0, 0.0, 0.0, 0),
        waited=now - standing.life.since,
    )


def _begin(book: Book, standing: Standing, gates: Mapping[str, Gate], now: datetime) -> Change:
    """Into shadow; where nobody is there to be compared with, the reviewed set alone decides."""
    life = advance(standing.life, "shadow", now=now)
    if book.pointers.active is not None:
        return Change(shadowed(book.pointers, life.id, gates["shadow"].share), (life,))
    floor = gates["shadow"].metric_floor
    if standing.metric.low < floor:
        reason = f"metric {standing.metric.low:.3f} at worst, wanted {floor:.3f}"
        return Change(book.pointers, (advance(life, "reject", now=now, reasons=(reason,)),))
    first = ("the first of its model",)
    life = advance(advance(life, "pass", now=now, reasons=first), "pass", now=now, reasons=first)
    return Change(replace(book.pointers, active=life.id), (life,))


def _tried(
    book: Book, standing: Standing, seen: Sequence[Trial], gates: Mapping[str, Gate], now: datetime
) -> Change | None:
    life, gate = standing.life, gates[standing.life.stage]
    match _verdict(standing, seen, gate, now):
        case Reject(reasons) if life.stage == "canary":
            return Change(withdrawn(book.pointers), (advance(life, "roll-back", now=now, reasons=reasons),))
        case Reject(reasons):
            return Change(withdrawn(book.pointers), (advance(life, "reject", now=now, reasons=reasons),))
        case Promote(figures) if life.stage == "shadow":
            moved = advance(life, "pass", now=now, reasons=figures)
            return Change(tried(book.pointers, gates["canary"].share), (moved,))
        case Promote(figures):
            before = _moved(book, book.pointers.active, "replace", now, f"by {life.id}")
            lives = (advance(life, "pass", now=now, reasons=figures), *((before,) if before else ()))
            return Change(promoted(book.pointers, _expected(seen)), lives)
    return None


def _verdict(standing: Standing, seen: Sequence[Trial], gate: Gate, now: datetime) -> Verdict:
    """Three failures of a canary are enough where the active release had none: harm does not wait."""
    harm = sum(trial.failed and not trial.failed_other for trial in seen)
    allowed = wilson(harm, len(seen)).low if seen else 0.0
    if standing.life.stage == "canary" and harm >= HARM and allowed > gate.error_rate_rise:
        return Reject((f"broke on {harm} of {len(seen)} drops that the active release answered",))
    return judge(shown(standing, seen, now), gate)


def _expected(seen: Sequence[Trial]) -> Expected:
    """What a canary that is promoted has shown."""
    sound = [trial for trial in seen if not trial.failed]
    unsure = sum(trial.unsure for trial in sound) / max(len(sound), 1)
    return Expected(_slowest([trial.ms for trial in sound]), unsure)


def _moved(book: Book, release: str | None, step: Step, now: datetime, reason: str) -> Life | None:
    """A life one step on; a bundled release has none on record."""
    standing = book.find(release)
    return advance(standing.life, step, now=now, reasons=(reason,)) if standing else None


def _slowest(times_ms: list[float]) -> float:
    """The 95th percentile, between the two nearest."""
    return quantiles(times_ms, n=20, method="inclusive")[-1] if len(times_ms) > 1 else sum(times_ms)


def _age(standing: Standing) -> datetime:
    return standing.life.since
