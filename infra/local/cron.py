"""EventBridge's rate(...) and cron(...) expressions → the next time they name, in UTC."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from infra.local.errors import BadTemplate, CannotImitate

_UNITS_S = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {
    name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], start=1)
}
_YEARS_AHEAD = 8


@dataclass(frozen=True, slots=True)
class Rate:
    """Every so many seconds, from the moment the rule exists."""

    every_s: int


@dataclass(frozen=True, slots=True)
class Cron:
    """The values each field allows; `last_day` is L in the day of the month."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    years: frozenset[int]
    last_day: bool = False

    def after(self, now: datetime) -> datetime | None:
        """The first minute later than `now` that the fields allow; None if there is none."""
        day = now.date()
        while day.year <= now.year + _YEARS_AHEAD:
            if self._on(day):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        moment = datetime.combine(day, time(hour, minute), now.tzinfo)
                        if moment > now:
                            return moment
            day += timedelta(days=1)
        return None

    def _on(self, day: date) -> bool:
        if day.year not in self.years or day.month not in self.months:
            return False
        last = self.last_day and day.day == calendar.monthrange(day.year, day.month)[1]
        return (last or day.day in self.days) and day.isoweekday() % 7 + 1 in self.weekdays


def parse(expression: str, where: str) -> Rate | Cron:
    """Read an expression; refuse what is valid on AWS but not understood here."""
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if rate:
        return Rate(int(rate[1]) * _UNITS_S[rate[2]])
    cron = re.fullmatch(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)", expression)
    if not cron:
        raise BadTemplate(f"{where}: {expression!r} is neither rate(...) nor cron(...)")
    if re.search(r"[W#]|\dL", f"{cron[3]} {re.sub('WED', '', cron[5].upper())}") or "L" in cron[5]:
        raise CannotImitate(where, f"W, # and weekday L in {expression}")
    return Cron(
        minutes=_field(cron[1], 0, 59),
        hours=_field(cron[2], 0, 23),
        days=frozenset() if cron[3] == "L" else _field(cron[3], 1, 31),
        months=_field(cron[4], 1, 12, _MONTHS),
        weekdays=_field(cron[5], 1, 7, _DAYS),
        years=_field(cron[6], 1970, 2199),
        last_day=cron[3] == "L",
    )


def _field(text: str, low: int, high: int, names: Mapping[str, int] | None = None) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, last = _span(span, low, high, names or {})
        if step and "-" not in span:
            last = high
        values.update(range(first, last + 1, int(step or 1)))
    return frozenset(values)


def _span(text: str, low: int, high: int, names: Mapping[str, int]) -> tuple[int, int]:
    if text in ("*", "?"):
        return low, high
    first, _, last = text.partition("-")
    start = names.get(first.upper()) or int(first)
    return start, (names.get(last.upper()) or int(last)) if last else start
