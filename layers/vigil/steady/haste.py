"""The waits of those who mend where a minute is shorter than a minute: in drills, never in production."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Times = TypeVar("Times", bound="DataclassInstance")

_MINUTE = timedelta(minutes=1)


def hastened(times: Times, minute: timedelta, *, but: tuple[str, ...] = ()) -> Times:
    """The same value with each of its durations shorter by as much as a minute is, but for some."""
    if minute == _MINUTE:
        return times
    long = {one.name: getattr(times, one.name) for one in fields(times) if one.name not in but}
    short = {name: span * (minute / _MINUTE) for name, span in long.items() if isinstance(span, timedelta)}
    return replace(times, **short)
