"""What is given up, step by step, when live cannot be on time; and given back when it can."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

from vigil.drops.messages import Drop
from vigil.inference.types import Option

BURST_OPTION = "burst"
"""The option by which a source says that its frames come many at a time, so that some may be left out."""

DEGRADED_NOTE = "degraded"
"""Under which a drop's notes name the steps that touched it."""


class InvalidDegradationSteps(ValueError):
    """The file of steps says something that cannot be meant."""


@dataclass(frozen=True, slots=True)
class OptionSwap:
    """Where an option has one value, it gets the other."""

    option: str
    from_value: Option
    to_value: Option


@dataclass(frozen=True, slots=True)
class DegradationStep:
    """One thing that is given up.

    set_options    options that are set, whatever they were
    sample_one_in  frames of a burst, of which one is looked at; 1 keeps all
    """

    name: str
    swaps: tuple[OptionSwap, ...] = ()
    set_options: Mapping[str, Option] = field(default_factory=dict)
    sample_one_in: int = 1


@dataclass(frozen=True, slots=True)
class DegradationLevel:
    """How many steps are in force, and since when."""

    level: int
    since: datetime


@dataclass(frozen=True, slots=True)
class DegradationPolicy:
    """How long a level is kept at least, before the next step is taken or the last one taken back."""

    step_up_after: timedelta = timedelta(minutes=2)
    step_down_after: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class DegradedOptions:
    """Options for one drop, what was changed in them, and whether the drop is looked at all."""

    options: Mapping[str, Option]
    steps: tuple[str, ...] = ()
    is_skipped: bool = False


def next_level(
    current: DegradationLevel,
    *,
    is_overloaded: bool,
    is_calm: bool,
    max_level: int,
    now: datetime,
    policy: DegradationPolicy,
) -> DegradationLevel:
    """One level up while live is strained, one down while it is calm, and no faster than the tempo."""
    elapsed = now - current.since
    if (
        is_overloaded
        and current.level < max_level
        and (elapsed >= policy.step_up_after or current.level == 0)
    ):
        return DegradationLevel(current.level + 1, now)
    if is_calm and current.level > 0 and elapsed >= policy.step_down_after:
        return DegradationLevel(current.level - 1, now)
    return current


def apply_steps(
    drop: Drop, options: Mapping[str, Option], steps: Sequence[DegradationStep], *, is_first_of_burst: bool
) -> DegradedOptions:
    """What the steps in force make of a source's options, for this drop.

    The first frame of a burst is kept. Which others are follows from the drop's id: a redelivery decides the
    same.
    """
    result = DegradedOptions(options)
    for step in steps:
        changed = _changed_options(result.options, step)
        is_skipped = (
            bool(options.get(BURST_OPTION))
            and not is_first_of_burst
            and int(drop.id, 16) % step.sample_one_in != 0
        )
        if changed != result.options or is_skipped:
            result = replace(
                result,
                options=changed,
                steps=(*result.steps, step.name),
                is_skipped=result.is_skipped or is_skipped,
            )
    return result


def default_steps() -> tuple[DegradationStep, ...]:
    """The steps beside this module."""
    return parse_steps(files("vigil.reliability").joinpath("degradation.toml").read_text())


def parse_steps(text: str) -> tuple[DegradationStep, ...]:
    """Parse a file of steps. Raises BadSteps."""
    try:
        return tuple(_parse_step(table) for table in tomllib.loads(text)["steps"])
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise InvalidDegradationSteps(f"not a file of degradation steps: {error!r}") from error


def _parse_step(table: Mapping[str, Any]) -> DegradationStep:
    unknown = set(table) - {"name", "swap", "set", "sample_one_in"}
    if unknown:
        raise InvalidDegradationSteps(f"unknown {', '.join(sorted(unknown))}")
    swaps = tuple(OptionSwap(swap["option"], swap["from"], swap["to"]) for swap in table.get("swap", ()))
    return DegradationStep(
        str(table["name"]), swaps, dict(table.get("set", {})), int(table.get("sample_one_in", 1))
    )


def _changed_options(options: Mapping[str, Option], step: DegradationStep) -> dict[str, Option]:
    swapped = {
        swap.option: swap.to_value
        for swap in step.swaps
        if swap.option in options and options[swap.option] == swap.from_value
    }
    return {**options, **swapped, **step.set_options}


# MERGED: Which frame is the first of its burst that can be seen: that one is never left out, however short
#   it is.

BURST_GAP = timedelta(seconds=5)
"""Frames of one source that are further apart belong to two bursts."""


class BurstTracker:
    """What one container saw of each source last; every container looks at the first frame that it sees.

    A redelivery decides the same: a first frame stays one until the next burst begins.
    """

    def __init__(self) -> None:
        self._first_drop_ids: dict[str, str] = {}
        self._last_frame_at: dict[str, datetime] = {}

    def is_first_of_burst(self, drop: Drop) -> bool:
        """Whether a drop is the first of its burst here."""
        last = self._last_frame_at.get(drop.source)
        if (
            drop.source not in self._first_drop_ids
            or last is None
            or abs(drop.occurred_at - last) > BURST_GAP
        ):
            self._first_drop_ids[drop.source] = drop.id
        self._last_frame_at[drop.source] = drop.occurred_at
        return self._first_drop_ids[drop.source] == drop.id

    def forget_unreadable(self, drop: Drop) -> None:
        """It could not be seen: where it was the first, the next one is."""
        if self._first_drop_ids.get(drop.source) == drop.id:
            del self._first_drop_ids[drop.source]
