"""Rules with a schedule: each tick delivers an event and sets the next one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from infra.local import cron
from infra.local.alarm_clock import AlarmClock
from infra.local.buses import Buses, Rule


class Schedules:
    """`minute_s` is how long a minute of rate(...) takes here; cron(...) keeps to the real clock.

    paces  the same for the schedules of single functions, by name
    """

    def __init__(
        self, buses: Buses, *, clock: AlarmClock, minute_s: float, paces: Mapping[str, float]
    ) -> None:
        self._buses = buses
        self._clock = clock
        self._minute_s, self._paces = minute_s, paces
        self._times: Mapping[str, cron.Rate | cron.Cron] = {
            rule.arn: cron.parse(rule.schedule, rule.arn) for rule in buses.rules if rule.schedule
        }

    def start(self) -> None:
        """Set the first tick of each rule."""
        for rule in self._buses.rules:
            if rule.schedule:
                self._set(rule)

    def _set(self, rule: Rule) -> None:
        wait = self._wait(rule)
        if wait is not None:
            self._clock.after(wait, lambda: self._tick(rule))

    def _tick(self, rule: Rule) -> None:
        self._set(rule)
        self._buses.tick(rule)

    def _wait(self, rule: Rule) -> float | None:
        when = self._times[rule.arn]
        if isinstance(when, cron.Rate):
            names = (target.arn.rsplit(":", 1)[-1] for target in rule.targets)
            minute_s = min((self._paces.get(name, self._minute_s) for name in names), default=self._minute_s)
            return when.every_s * minute_s / 60
        now = datetime.now(UTC)
        following = when.after(now)
        return None if following is None else (following - now).total_seconds()
