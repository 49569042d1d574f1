"""Rules with a schedule: each tick delivers an event and sets the next one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from infra.local import cron
from infra.local.alarm_clock import AlarmClock
from infra.local.buses import Buses, Rule


class Schedules:
    """`minute_s` is how long a minute of rate(...) takes here; cron(...) keeps to the real clock."""

    def __init__(self, buses: Buses, *, clock: AlarmClock, minute_s: float) -> None:
        self._buses = buses
        self._clock = clock
        self._pace = minute_s / 60
        self._times: Mapping[str, cron.Rate | cron.Cron] = {
            rule.arn: cron.parse(rule.schedule, rule.arn) for rule in buses.rules if rule.schedule
        }

    def start(self) -> None:
        """Set the first tick of each rule."""
        for rule in self._buses.rules:
            if rule.schedule:
                self._set(rule)

    def _set(self, rule: Rule) -> None:
        wait = self._wait(self._times[rule.arn])
        if wait is not None:
            self._clock.after(wait, lambda: self._tick(rule))

    def _tick(self, rule: Rule) -> None:
        self._set(rule)
        self._buses.tick(rule)

    def _wait(self, when: cron.Rate | cron.Cron) -> float | None:
        if isinstance(when, cron.Rate):
            return when.every_s * self._pace
        now = datetime.now(UTC)
        following = when.after(now)
        return None if following is None else (following - now).total_seconds()
