"""Reduces quality in steps while the live lane is overloaded, and restores it afterwards."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

from vigil.drops.messages import Drop
from vigil.inference.types import Option

BURST_OPTION = "burst"
"""The option of a source whose frames arrive in bursts, so that some of them may be skipped."""

DEGRADED_NOTE = "degraded"
"""The note of a drop that names the steps applied to it."""


class InvalidDegradationSteps(ValueError):
    """The file of steps is invalid."""


@dataclass(frozen=True, slots=True)
class OptionSwap:
    """Replaces one value of an option by another."""

    option: str
    from_value: Option
    to_value: Option


@dataclass(frozen=True, slots=True)
class DegradationStep:
    """One reduction of quality.

    set_options    options that are set, whatever their value
    sample_one_in  one in this many frames of a burst is processed; 1 processes all
    """

    name: str
    swaps: tuple[OptionSwap, ...] = ()
    set_options: Mapping[str, Option] = field(default_factory=dict)
    sample_one_in: int = 1


@dataclass(frozen=True, slots=True)
class DegradationLevel:
    """The number of steps in force, and since when."""

    level: int
    since: datetime


@dataclass(frozen=True, slots=True)
class DegradationPolicy:
    """The minimum time at a level before the next step is applied or the last one removed."""

    step_up_after: timedelta = timedelta(minutes=2)
    step_down_after: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class DegradedOptions:
    """The options for one drop, the steps that changed them, and whether the drop is skipped."""

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
    """One level up while live is overloaded, one down while it is calm, at the pace of the policy."""
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
    """Apply the steps in force to a source's options for one drop.

    The first frame of a burst is always processed. The drop's id decides about the others, so that a
    redelivery gives the same result.
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
    """The steps in degradation.toml."""
    return parse_steps(files("vigil.reliability").joinpath("degradation.toml").read_text())


def parse_steps(text: str) -> tuple[DegradationStep, ...]:
    """Parse a file of steps. Raises InvalidDegradationSteps."""
    try:
        return tuple(_parse_step(table) for table in tomllib.loads(text)["steps"])
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise InvalidDegradationSteps(f"invalid degradation steps: {error!r}") from error


def _parse_step(table: Mapping[str, Any]) -> DegradationStep:
    unknown = set(table) - {"name", "swap", "set", "sample_one_in"}
    if unknown:
        raise InvalidDegradationSteps(f"unknown keys: {', '.join(sorted(unknown))}")
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


BURST_GAP = timedelta(seconds=5)
"""Frames of one source with a longer gap belong to different bursts."""


class BurstTracker:
    """Which frame of each source is the first of its burst in this container; that one is never skipped.

    A redelivery gives the same result: a first frame stays first until the next burst begins.
    """

    def __init__(self) -> None:
        self._first_drop_ids: dict[str, str] = {}
        self._last_frame_at: dict[str, datetime] = {}

    def is_first_of_burst(self, drop: Drop) -> bool:
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
        """The drop could not be read: if it was the first of its burst, the next one is."""
        if self._first_drop_ids.get(drop.source) == drop.id:
            del self._first_drop_ids[drop.source]
