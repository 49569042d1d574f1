"""Scales the durations of a policy down in tests; in production a minute is a minute."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Durations = TypeVar("Durations", bound="DataclassInstance")

_MINUTE = timedelta(minutes=1)


def scale_durations(policy: Durations, minute: timedelta, *, unscaled: tuple[str, ...] = ()) -> Durations:
    """The policy with each duration multiplied by `minute` / 1 min, except the fields in `unscaled`."""
    if minute == _MINUTE:
        return policy
    values = {one.name: getattr(policy, one.name) for one in fields(policy) if one.name not in unscaled}
    scaled = {
        name: value * (minute / _MINUTE) for name, value in values.items() if isinstance(value, timedelta)
    }
    return replace(policy, **scaled)
