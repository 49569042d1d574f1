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
from vigil.releases.health import ExpectedHealth

ReleaseStage = Literal["registered", "shadow", "canary", "active", "retired", "rejected", "rolled-back"]
RolloutStep = Literal["shadow", "pass", "reject", "roll-back", "replace", "restore"]

TRANSITIONS: Mapping[tuple[ReleaseStage, RolloutStep], ReleaseStage] = {
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


class IllegalTransition(VigilError):
    """A release cannot take this step from its stage."""


@dataclass(frozen=True, slots=True)
class StageTransition:
    """One line of a release's history."""

    step: RolloutStep
    stage: ReleaseStage
    at: datetime
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleaseState:
    """Where a release stands, and how it came there; `id` is its content hash."""

    model: str
    release: str
    stage: ReleaseStage
    since: datetime
    history: tuple[StageTransition, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleasePointers:
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
    previous: str | None = None
    canary_share: float = 0.0
    shadow_share: float = 0.0
    expected: ExpectedHealth | None = None


def registered_state(model: str, release: str, now: datetime) -> ReleaseState:
    return ReleaseState(model, release, "registered", now)


def advance(
    state: ReleaseState, step: RolloutStep, *, now: datetime, reasons: tuple[str, ...] = ()
) -> ReleaseState:
    """Take one step. Raises IllegalMove."""
    stage = TRANSITIONS.get((state.stage, step))
    if stage is None:
        raise IllegalTransition(
            f"release {state.release} of {state.model} is {state.stage}: {step!r} leads nowhere from there"
        )
    return replace(
        state, stage=stage, since=now, history=(*state.history, StageTransition(step, stage, now, reasons))
    )


def start_shadow(pointers: ReleasePointers, release: str, shadow_share: float = 1.0) -> ReleasePointers:
    """Let a release look at a share of the drops as well. Raises IllegalMove while another does."""
    if pointers.candidate not in (None, release):
        raise IllegalTransition(f"{pointers.candidate} is still being tried; {release} has to wait")
    return replace(pointers, candidate=release, canary_share=0.0, shadow_share=shadow_share)


def start_canary(pointers: ReleasePointers, canary_share: float) -> ReleasePointers:
    """Let the candidate answer a share of the drops."""
    if pointers.candidate is None:
        raise IllegalTransition("there is no candidate to try")
    return replace(pointers, canary_share=canary_share, shadow_share=canary_share)


def promote_candidate(pointers: ReleasePointers, expected: ExpectedHealth | None = None) -> ReleasePointers:
    """The candidate takes the active release's place; what it showed so far is what is expected of it."""
    if pointers.candidate is None:
        raise IllegalTransition("there is no candidate to promote")
    return ReleasePointers(active=pointers.candidate, previous=pointers.active, expected=expected)


def remove_candidate(pointers: ReleasePointers) -> ReleasePointers:
    """The candidate goes, the active release stays."""
    return replace(pointers, candidate=None, canary_share=0.0, shadow_share=0.0)


def restore_previous(pointers: ReleasePointers) -> ReleasePointers:
    """Back to the former release; a candidate compared with the bad one goes too. Raises IllegalMove."""
    if pointers.previous is None:
        raise IllegalTransition("there is no former release to go back to")
    return ReleasePointers(active=pointers.previous)


def release_for(pointers: ReleasePointers, drop_id: str) -> str | None:
    """The release that answers a drop for real: the same for the same drop, however often it is delivered."""
    if pointers.candidate is None or _drop_fraction(pointers.candidate, drop_id) >= pointers.canary_share:
        return pointers.active
    return pointers.candidate


def shadow_release_for(pointers: ReleasePointers, drop_id: str) -> str | None:
    """The release that looks at a drop without answering it, for comparison; None where none does."""
    if pointers.candidate is None or _drop_fraction(pointers.candidate, drop_id) >= pointers.shadow_share:
        return None
    return pointers.candidate if release_for(pointers, drop_id) != pointers.candidate else pointers.active


def _drop_fraction(release: str, drop_id: str) -> float:
    """0 to 1, even over drops, and another for each release."""
    digest = hashlib.sha256(f"{release}\n{drop_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
