"""One look at a model's releases: what they have shown becomes at most one step."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from vigil.learn.by_hand import put_forward, turned_down
from vigil.learn.gates import Gate
from vigil.learn.relapse import counts_since
from vigil.learn.release import Life
from vigil.learn.stages import Book, Change, back, decide
from vigil.learn.trial import Trial
from vigil.learn.vitals import Vitals, newest


class Lives(Protocol):
    """Where lives and pointers are kept. Raises Transient."""

    def book(self, model: str) -> Book:
        """All about a model's releases."""

    def move(self, book: Book, change: Change) -> None:
        """Pointers and lives at once, or not at all; raises where somebody else moved the pointers."""


class Shows(Protocol):
    """Where trials are kept."""

    def seen(self, model: str, release: str, since: datetime) -> Sequence[Trial]:
        """What a release has shown since then. Raises Transient."""


class Watched(Protocol):
    """Where what active releases show is summed up."""

    def newest(self, model: str, release: str, since: datetime) -> Iterable[Vitals]:
        """Short stretches of time, from the newest back. Raises Transient."""


def tend(
    model: str,
    lives: Lives,
    shows: Shows,
    watched: Watched,
    gates: Mapping[str, Gate],
    *,
    now: datetime,
    ready: Callable[[str], bool] = lambda _: True,
) -> tuple[Life, ...]:
    """Take the next step, if one is due; the lives that moved. What is not `ready` yet stays registered."""
    book = lives.book(model)
    seen = _seen(book, shows)
    vitals = _vitals(book, seen, shows, watched, now=now)
    change = decide(book, seen, gates, now, vitals=vitals, ready=ready)
    return _kept(lives, book, change)


def roll_back(model: str, lives: Lives, *, now: datetime, reason: str) -> tuple[Life, ...]:
    """Back to the former release, because somebody says so; nothing where there is none."""
    book = lives.book(model)
    return _kept(lives, book, back(book, now, reason))


def promote(model: str, release: str, lives: Lives, *, now: datetime, reason: str) -> tuple[Life, ...]:
    """The candidate answers, because somebody says so. Raises IllegalMove."""
    book = lives.book(model)
    return _kept(lives, book, put_forward(book, release, now=now, why=reason))


def reject(model: str, release: str, lives: Lives, *, now: datetime, reason: str) -> tuple[Life, ...]:
    """A release goes no further, because somebody says so. Raises IllegalMove."""
    book = lives.book(model)
    return _kept(lives, book, turned_down(book, release, now=now, why=reason))


def _kept(lives: Lives, book: Book, change: Change | None) -> tuple[Life, ...]:
    if change is None:
        return ()
    lives.move(book, change)
    return change.lives


def _seen(book: Book, shows: Shows) -> Sequence[Trial]:
    standing = book.find(book.pointers.candidate)
    return shows.seen(book.model, standing.life.id, standing.life.since) if standing else ()


def _vitals(book: Book, seen: Sequence[Trial], shows: Shows, watched: Watched, *, now: datetime) -> Vitals:
    """Of the active release, also from beside its candidate; nothing where there is nothing to go back to."""
    standing = book.find(book.pointers.active)
    if standing is None or book.pointers.former is None:
        return Vitals()
    since = counts_since(standing.life.since, now)
    broke = {trial.drop for trial in shows.seen(book.model, standing.life.id, since) if trial.failed}
    broke |= {trial.drop for trial in seen if trial.failed_other}
    return replace(newest(watched.newest(book.model, standing.life.id, since)), broke=len(broke))
