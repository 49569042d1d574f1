"""Rules as data: sources with their hours and areas, and the rules that raise alerts, read from TOML."""

from collections.abc import Mapping
from datetime import datetime, time
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, field

from vigil.inference.types import DEFAULT_GALLERY, GALLERIES_OPTION, GALLERY_NAME_PATTERN, Option, Sighting
from vigil.toml_file import InvalidToml, TomlTable, parse_toml

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
GalleryName = Annotated[str, Meta(pattern=GALLERY_NAME_PATTERN)]
Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""Rising."""
ClockTime = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$")]
"""HH:MM or HH:MM:SS."""
ConsentPolicy = Literal["never", "consented", "always"]
"""Which drops of a source models may be trained on. consented: drops that show only people who consented.
always: all drops, except those that show an enrolled person who did not consent."""

DEFAULT_RULES = files("vigil.alerts").joinpath("default_rules.toml")


class InvalidRules(ValueError):
    """The rules are invalid; the message names the key and what is allowed there."""


class Hours(TomlTable, frozen=True):
    """When a source is open; if `opens` is later than `closes`, until the next day, on each day it opens."""

    opens: ClockTime
    closes: ClockTime
    days: frozenset[Day] = frozenset(DAYS)
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, OSError) as error:
            raise ValueError(f"unknown timezone {self.timezone!r}") from error

    def is_open_at(self, at: datetime) -> bool:
        local = at.astimezone(ZoneInfo(self.timezone))
        opens, closes, clock = time.fromisoformat(self.opens), time.fromisoformat(self.closes), local.time()
        today = DAYS[local.weekday()] in self.days
        if opens <= closes:
            return today and opens <= clock < closes
        yesterday = DAYS[local.weekday() - 1] in self.days
        return (today and clock >= opens) or (yesterday and clock < closes)


class Source(TomlTable, frozen=True):
    """Where drops come from.

    options              of the model, in place of its card's
    galleries            names of the galleries that its faces are compared with
    store_unknown_faces  whether unknown faces are stored with their sightings, for searches by photo
    training_policy      which of its drops models may be trained on
    """

    area: str = "open"
    hours: Hours | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    galleries: Annotated[tuple[GalleryName, ...], Meta(min_length=1)] = (DEFAULT_GALLERY,)
    store_unknown_faces: bool = False
    training_policy: ConsentPolicy = "never"

    @property
    def model_options(self) -> Mapping[str, Option]:
        """The options, with the galleries if they are not the default one; other models ignore them."""
        if self.galleries == (DEFAULT_GALLERY,):
            return self.options
        return {**self.options, GALLERIES_OPTION: " ".join(self.galleries)}

    def is_open_at(self, at: datetime) -> bool:
        return self.hours is None or self.hours.is_open_at(at)


class Condition(TomlTable, frozen=True):
    """What a sighting must fulfil; keys that are not given are fulfilled."""

    status: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    area: str | None = None
    hours: Literal["open", "closed"] | None = None
    min_score: float | None = None


class Rule(TomlTable, frozen=True):
    """Raises an alert for each sighting that fulfils its condition.

    window_s   seconds in which sightings of one subject at one source are one alert
    reviewers  number of different people who must agree before the alert is closed
    """

    name: str
    severity: Severity = "warning"
    window_s: Annotated[int, Meta(ge=1)] = 600
    reviewers: Annotated[int, Meta(ge=1, le=3)] = 1
    when: Condition = Condition()

    def matches(self, sighting: Sighting, *, model: str, source: Source, at: datetime) -> bool:
        when = self.when
        return (
            (not when.status or sighting.status in when.status)
            and (not when.tags or bool(when.tags & sighting.tags))
            and (not when.labels or sighting.label in when.labels)
            and (not when.models or model in when.models)
            and (when.area is None or source.area == when.area)
            and (when.hours is None or (when.hours == "open") == source.is_open_at(at))
            and (when.min_score is None or (sighting.score or 0.0) >= when.min_score)
        )


class RuleSet(TomlTable, frozen=True):
    """The file rules.toml: sources by name or pattern such as `door-*`, and rules."""

    sources: dict[str, Source] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        if len({rule.name for rule in self.rules}) != len(self.rules):
            raise ValueError("two rules share a name")

    def source_settings(self, name: str) -> Source:
        """The settings of the first pattern that matches."""
        matching = (source for pattern, source in self.sources.items() if fnmatchcase(name, pattern))
        return next(matching, Source())


def default_rules() -> RuleSet:
    """The rules that apply until an operator stores others."""
    return parse_rules(DEFAULT_RULES.read_text())


def parse_rules(text: str) -> RuleSet:
    """Raises InvalidRules."""
    try:
        return parse_toml("rules.toml", text.encode()).convert(RuleSet)
    except InvalidToml as error:
        raise InvalidRules(str(error)) from error
