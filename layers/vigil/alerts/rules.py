"""The watch as data: sources, their hours and areas, and the rules that raise alerts."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from vigil.inference.types import Option, Sighting
from vigil.people.consent import CONSENT_POLICIES, ConsentPolicy

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SEVERITIES = ("info", "warning", "critical")
DEFAULT_RULES = files("vigil.alerts").joinpath("default_rules.toml")


class InvalidRules(ValueError):
    """The watch file says something that cannot be meant; the message names the place."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When a source is open; `opens` after `closes` means over midnight, on the day it opens."""

    opens: time
    closes: time
    days: frozenset[int]
    zone: ZoneInfo

    def is_open_at(self, at: datetime) -> bool:
        local = at.astimezone(self.zone)
        today, clock = local.weekday() in self.days, local.time()
        if self.opens <= self.closes:
            return today and self.opens <= clock < self.closes
        yesterday = (local.weekday() - 1) % 7 in self.days
        return (today and clock >= self.opens) or (yesterday and clock < self.closes)


@dataclass(frozen=True, slots=True)
class Source:
    """A place that drops come from: its name may be a pattern such as `door-*`.

    options              what its model is asked to do otherwise than the card says
    store_unknown_faces  whether unknown faces are stored with their sightings, to be searched by photo
    training_policy      what of it models may be trained on: nothing unless it says so
    """

    pattern: str
    area: str = "open"
    hours: Hours | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    store_unknown_faces: bool = False
    training_policy: ConsentPolicy = "never"


@dataclass(frozen=True, slots=True)
class Rule:
    """Raises an alert for each sighting that meets every condition it has; empty conditions hold.

    window_s   seconds within which one subject at one source is one alert
    reviewers  different people who must agree before an alert is closed
    """

    name: str
    severity: str
    window_s: int
    status: frozenset[str]
    tags: frozenset[str]
    labels: frozenset[str]
    models: frozenset[str]
    area: str | None
    hours: str | None
    min_score: float | None
    reviewers: int = 1

    def matches(self, sighting: Sighting, *, model: str, source: Source, at: datetime) -> bool:
        return (
            (not self.status or sighting.status in self.status)
            and (not self.tags or bool(self.tags & sighting.tags))
            and (not self.labels or sighting.label in self.labels)
            and (not self.models or model in self.models)
            and (self.area is None or source.area == self.area)
            and (self.hours is None or (self.hours == "open") == _is_open(source, at))
            and (self.min_score is None or (sighting.score or 0.0) >= self.min_score)
        )


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Sources, the first matching pattern wins, and rules."""

    sources: tuple[Source, ...]
    rules: tuple[Rule, ...]

    def source_settings(self, name: str) -> Source:
        found = (source for source in self.sources if fnmatchcase(name, source.pattern))
        return next(found, Source(name))


def default_rules() -> RuleSet:
    """What holds where no watch file was ever put: the one beside this module."""
    return parse_rules(DEFAULT_RULES.read_text())


def parse_rules(text: str) -> RuleSet:
    """Parse a watch file. Raises InvalidRules, naming what is wrong and what may stand there."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidRules(f"not TOML: {error}") from error
    _check_keys(data, {"sources", "rules"}, "the watch file")
    sources = tuple(_parse_source(name, table) for name, table in data.get("sources", {}).items())
    rules = tuple(_parse_rule(table) for table in data.get("rules", []))
    if len({rule.name for rule in rules}) != len(rules):
        raise InvalidRules("two rules share a name")
    return RuleSet(sources, rules)


def _is_open(source: Source, at: datetime) -> bool:
    return source.hours is None or source.hours.is_open_at(at)


def _parse_source(name: str, table: Mapping[str, Any]) -> Source:
    _check_keys(table, {"area", "hours", "options", "store_unknown_faces", "training"}, f"sources.{name}")
    hours = _parse_hours(table["hours"], f"sources.{name}.hours") if "hours" in table else None
    if not isinstance(table.get("store_unknown_faces", False), bool):
        raise InvalidRules(f"sources.{name}: store_unknown_faces is true or false")
    training_policy = table.get("training", "never")
    if training_policy not in CONSENT_POLICIES:
        raise InvalidRules(f"sources.{name}: training is one of {', '.join(CONSENT_POLICIES)}")
    return Source(
        pattern=name,
        area=str(table.get("area", "open")),
        hours=hours,
        options=dict(table.get("options", {})),
        store_unknown_faces=table.get("store_unknown_faces", False),
        training_policy=training_policy,
    )


def _parse_hours(table: Mapping[str, Any], where: str) -> Hours:
    _check_keys(table, {"opens", "closes", "days", "timezone"}, where)
    try:
        days = frozenset(DAYS.index(day) for day in table.get("days", DAYS))
        opens, closes = time.fromisoformat(table["opens"]), time.fromisoformat(table["closes"])
        return Hours(opens, closes, days, ZoneInfo(table.get("timezone", "UTC")))
    except (KeyError, ValueError, ZoneInfoNotFoundError) as error:
        raise InvalidRules(
            f'{where}: {error}; it reads opens = "07:00", closes = "19:00", days = ["mon"], timezone = "UTC"'
        ) from error


def _parse_rule(table: Mapping[str, Any]) -> Rule:
    where = f"rule {table.get('name', '?')}"
    _check_keys(table, {"name", "severity", "window_s", "reviewers", "when"}, where)
    when = table.get("when", {})
    _check_keys(when, {"status", "tags", "labels", "models", "area", "hours", "min_score"}, f"{where}, when")
    severity, window_s = table.get("severity", "warning"), table.get("window_s", 600)
    if not isinstance(table.get("name"), str) or severity not in SEVERITIES:
        raise InvalidRules(f"{where}: needs a name, and a severity of {', '.join(SEVERITIES)}")
    if not isinstance(window_s, int) or window_s < 1:
        raise InvalidRules(f"{where}: window_s is a whole number of seconds")
    if table.get("reviewers", 1) not in (1, 2, 3):
        raise InvalidRules(f"{where}: reviewers is 1, 2 or 3")
    if when.get("hours") not in (None, "open", "closed"):
        raise InvalidRules(f'{where}: hours is "open" or "closed"')
    sets = {name: frozenset(when.get(name, ())) for name in ("status", "tags", "labels", "models")}
    return Rule(
        name=table["name"],
        severity=severity,
        window_s=window_s,
        area=when.get("area"),
        hours=when.get("hours"),
        min_score=float(when["min_score"]) if "min_score" in when else None,
        reviewers=table.get("reviewers", 1),
        **sets,
    )


def _check_keys(table: Mapping[str, Any], keys: set[str], where: str) -> None:
    unknown = sorted(set(table) - keys)
    if unknown:
        raise InvalidRules(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(sorted(keys))}")
