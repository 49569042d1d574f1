"""What is given up, step by step, when live cannot be on time; and given back when it can."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

from vigil.drops import Drop
from vigil.seeing import Option

BURST = "burst"
"""The option by which a source says that its frames come many at a time, so that some may be left out."""

NOTE = "degraded"
"""Under which a drop's notes name the steps that touched it."""


class BadSteps(ValueError):
    """The file of steps says something that cannot be meant."""


@dataclass(frozen=True, slots=True)
class Swap:
    """Where an option has one value, it gets the other."""

    option: str
    was: Option
    to: Option


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is given up.

    put          options that are set, whatever they were
    keep_one_in  frames of a burst, of which one is looked at; 1 keeps all
    """

    name: str
    swaps: tuple[Swap, ...] = ()
    put: Mapping[str, Option] = field(default_factory=dict)
    keep_one_in: int = 1


@dataclass(frozen=True, slots=True)
class Relief:
    """How many steps are in force, and since when."""

    level: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Tempo:
    """How long a level is kept at least, before the next step is taken or the last one taken back."""

    up: timedelta = timedelta(minutes=2)
    down: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Eased:
    """Options for one drop, what was changed in them, and whether the drop is looked at all."""

    options: Mapping[str, Option]
    steps: tuple[str, ...] = ()
    left_out: bool = False


def relieve(
    relief: Relief, *, is_strained: bool, is_calm: bool, most: int, now: datetime, tempo: Tempo
) -> Relief:
    """One level up while live is strained, one down while it is calm, and no faster than the tempo."""
    lasted = now - relief.since
    if is_strained and relief.level < most and (lasted >= tempo.up or relief.level == 0):
        return Relief(relief.level + 1, now)
    if is_calm and relief.level > 0 and lasted >= tempo.down:
        return Relief(relief.level - 1, now)
    return relief


def eased(drop: Drop, options: Mapping[str, Option], steps: Sequence[Step], *, first: bool) -> Eased:
    """What the steps in force make of a source's options, for this drop.

    The first frame of a burst is kept. Which others are follows from the drop's id: a redelivery decides the
    same.
    """
    result = Eased(options)
    for step in steps:
        changed = _changed(result.options, step)
        out = bool(options.get(BURST)) and not first and int(drop.id, 16) % step.keep_one_in != 0
        if changed != result.options or out:
            result = replace(
                result, options=changed, steps=(*result.steps, step.name), left_out=result.left_out or out
            )
    return result


def default_steps() -> tuple[Step, ...]:
    """The steps beside this module."""
    return read_steps(files("vigil.steady").joinpath("degrade.toml").read_text())


def read_steps(text: str) -> tuple[Step, ...]:
    """Parse a file of steps. Raises BadSteps."""
    try:
        return tuple(_step(table) for table in tomllib.loads(text)["steps"])
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise BadSteps(f"not a file of degradation steps: {error!r}") from error


def _step(table: Mapping[str, Any]) -> Step:
    strange = set(table) - {"name", "swap", "put", "keep_one_in"}
    if strange:
        raise BadSteps(f"unknown {', '.join(sorted(strange))}")
    swaps = tuple(Swap(swap["option"], swap["was"], swap["is"]) for swap in table.get("swap", ()))
    return Step(str(table["name"]), swaps, dict(table.get("put", {})), int(table.get("keep_one_in", 1)))


def _changed(options: Mapping[str, Option], step: Step) -> dict[str, Option]:
    swapped = {
        swap.option: swap.to
        for swap in step.swaps
        if swap.option in options and options[swap.option] == swap.was
    }
    return {**options, **swapped, **step.put}
