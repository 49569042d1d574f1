"""A release's life, from registered to retired, and which release answers which drop.

    registered ── shadow ──> shadow ── pass ──> canary ── pass ──> active ── replace ──> retired
        │                      │                  │                  ▲  │                   │
        └───── reject ─────────┴──────────────────┤                  │  └── roll back ──┐   │
                                                  │                  └──── restore ────│───┘
                                                  └── roll back ──> rolled-back <──────┘

A stage moves only as drawn; the same event told twice is told by `IllegalMove`, and harms nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from vigil.errors import VigilError
from vigil.learn.vitals import Expected

Stage = Literal["registered", "shadow", "canary", "active", "retired", "rejected", "rolled-back"]
Step = Literal["shadow", "pass", "reject", "roll-back", "replace", "restore"]

MOVES: Mapping[tuple[Stage, Step], Stage] = {
    ("registered", "shadow"): "shadow",
    ("registered", "reject"): "rejected",
    ("shadow", "pass"): "canary",
    ("shadow", "reject"): "rejected",
    ("canary", "pass"): "active",
    ("canary", "reject"): "rejected",
    ("canary", "roll-back"): "rolled-back",
    ("active", "replace"): "retired",
    ("active", "roll-back"): "rolled-back",
    ("retired", "restore"): "active",
}


class IllegalMove(VigilError):
    """A release cannot take this step from its stage."""


@dataclass(frozen=True, slots=True)
class Move:
    """One line of a release's history."""

    step: Step
    stage: Stage
    at: datetime
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Life:
    """Where a release stands, and how it came there; `id` is its content hash."""

    model: str
    id: str
    stage: Stage
    since: datetime
    history: tuple[Move, ...] = ()


@dataclass(frozen=True, slots=True)
class Pointers:
    """Which releases of one model are in use.

    active     answers; None before the first
    candidate  in shadow or canary; at most one at a time
    former     what `active` was before: where a roll-back leads
    share      of the drops that the candidate answers for real, 0 to 1: 0 in shadow
    beside     of the drops at which both look, so that they can be compared; never less than `share`
    expected   of `active`: what it showed in canary
    """

    active: str | None = None
    candidate: str | None = None
    former: str | None = None
    share: float = 0.0
    beside: float = 0.0
    expected: Expected | None = None


def register(model: str, release: str, now: datetime) -> Life:
    return Life(model, release, "registered", now)


def advance(life: Life, step: Step, *, now: datetime, reasons: tuple[str, ...] = ()) -> Life:
    """Take one step. Raises IllegalMove."""
    stage = MOVES.get((life.stage, step))
    if stage is None:
        raise IllegalMove(
            f"release {life.id} of {life.model} is {life.stage}: {step!r} leads nowhere from there"
        )
    return replace(life, stage=stage, since=now, history=(*life.history, Move(step, stage, now, reasons)))


def shadowed(pointers: Pointers, release: str, beside: float = 1.0) -> Pointers:
    """Let a release look at a share of the drops as well. Raises IllegalMove while another does."""
    if pointers.candidate not in (None, release):
        raise IllegalMove(f"{pointers.candidate} is still being tried; {release} has to wait")
    return replace(pointers, candidate=release, share=0.0, beside=beside)


def tried(pointers: Pointers, share: float) -> Pointers:
    """Let the candidate answer a share of the drops."""
    if pointers.candidate is None:
        raise IllegalMove("there is no candidate to try")
    return replace(pointers, share=share, beside=share)


def promoted(pointers: Pointers, expected: Expected | None = None) -> Pointers:
    """The candidate takes the active release's place; what it showed so far is what is expected of it."""
    if pointers.candidate is None:
        raise IllegalMove("there is no candidate to promote")
    return Pointers(active=pointers.candidate, former=pointers.active, expected=expected)


def withdrawn(pointers: Pointers) -> Pointers:
    """The candidate goes, the active release stays."""
    return replace(pointers, candidate=None, share=0.0, beside=0.0)


def rolled_back(pointers: Pointers) -> Pointers:
    """Back to the former release; a candidate compared with the bad one goes too. Raises IllegalMove."""
    if pointers.former is None:
        raise IllegalMove("there is no former release to go back to")
    return Pointers(active=pointers.former)


def answers(pointers: Pointers, drop: str) -> str | None:
    """The release that answers a drop for real: the same for the same drop, however often it is delivered."""
    if pointers.candidate is None or _place(pointers.candidate, drop) >= pointers.share:
        return pointers.active
    return pointers.candidate


def looks_on(pointers: Pointers, drop: str) -> str | None:
    """The release that looks at a drop without answering it, for comparison; None where none does."""
    if pointers.candidate is None or _place(pointers.candidate, drop) >= pointers.beside:
        return None
    return pointers.candidate if answers(pointers, drop) != pointers.candidate else pointers.active


def _place(release: str, drop: str) -> float:
    """0 to 1, even over drops, and another for each release."""
    digest = hashlib.sha256(f"{release}\n{drop}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
