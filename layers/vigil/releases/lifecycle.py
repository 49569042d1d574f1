"""The stages of a release and their transitions, and which release processes which drop.

    registered ── shadow ──> shadow ── pass ──> canary ── pass ──> active ── replace ──> retired
        │                      │                  │                  ▲  │                   │
        └───── reject ─────────┴──────────────────┤                  │  └── roll back ──┐   │
                                                  │                  └──── restore ────│───┘
                                                  └── roll back ──> rolled-back <──────┘

Other transitions raise IllegalTransition, so that an event that is handled twice changes nothing.
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
    """The release cannot take this step from its stage."""


@dataclass(frozen=True, slots=True)
class StageTransition:
    """One entry of a release's history."""

    step: RolloutStep
    stage: ReleaseStage
    at: datetime
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleaseState:
    """The stage of a release and its history."""

    model: str
    release: str
    stage: ReleaseStage
    since: datetime
    history: tuple[StageTransition, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleasePointers:
    """Which releases of one model are in use.

    active        its results are used; None before the first
    candidate     in shadow or canary; at most one at a time
    previous      was active before; a rollback restores it
    canary_share  share of drops for which the candidate's results are used, 0 to 1; 0 in shadow
    shadow_share  share of drops that both process, for comparison; at least `canary_share`
    expected      the active release's health in its canary stage
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
    """Take one step. Raises IllegalTransition."""
    stage = TRANSITIONS.get((state.stage, step))
    if stage is None:
        raise IllegalTransition(
            f"release {state.release} of {state.model} is {state.stage}: step {step!r} is not possible"
        )
    return replace(
        state, stage=stage, since=now, history=(*state.history, StageTransition(step, stage, now, reasons))
    )


def start_shadow(pointers: ReleasePointers, release: str, shadow_share: float = 1.0) -> ReleasePointers:
    """Make a release the candidate in shadow. Raises IllegalTransition if there is another candidate."""
    if pointers.candidate not in (None, release):
        raise IllegalTransition(f"{pointers.candidate} is the candidate; {release} has to wait")
    return replace(pointers, candidate=release, canary_share=0.0, shadow_share=shadow_share)


def start_canary(pointers: ReleasePointers, canary_share: float) -> ReleasePointers:
    """Use the candidate's results for a share of drops."""
    if pointers.candidate is None:
        raise IllegalTransition("there is no candidate")
    return replace(pointers, canary_share=canary_share, shadow_share=canary_share)


def promote_candidate(pointers: ReleasePointers, expected: ExpectedHealth | None = None) -> ReleasePointers:
    """The candidate becomes active; `expected` is its health in canary."""
    if pointers.candidate is None:
        raise IllegalTransition("there is no candidate to promote")
    return ReleasePointers(active=pointers.candidate, previous=pointers.active, expected=expected)


def remove_candidate(pointers: ReleasePointers) -> ReleasePointers:
    return replace(pointers, candidate=None, canary_share=0.0, shadow_share=0.0)


def restore_previous(pointers: ReleasePointers) -> ReleasePointers:
    """Make the previous release active and remove the candidate. Raises IllegalTransition."""
    if pointers.previous is None:
        raise IllegalTransition("there is no previous release to restore")
    return ReleasePointers(active=pointers.previous)


def release_for(pointers: ReleasePointers, drop_id: str) -> str | None:
    """The release whose result is used for a drop; the same for every delivery of the drop."""
    if pointers.candidate is None or _drop_fraction(pointers.candidate, drop_id) >= pointers.canary_share:
        return pointers.active
    return pointers.candidate


def shadow_release_for(pointers: ReleasePointers, drop_id: str) -> str | None:
    """The release that processes a drop for comparison only; None if none does."""
    if pointers.candidate is None or _drop_fraction(pointers.candidate, drop_id) >= pointers.shadow_share:
        return None
    return pointers.candidate if release_for(pointers, drop_id) != pointers.candidate else pointers.active


def _drop_fraction(release: str, drop_id: str) -> float:
    """0 to 1, uniform over drops and independent between releases."""
    digest = hashlib.sha256(f"{release}\n{drop_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
