"""Rules as data: sources with their hours and areas, and the rules that raise alerts, read from TOML."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, time
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, field, to_builtins

from vigil.inference.types import (
    DEFAULT_GALLERY,
    GALLERIES_OPTION,
    GALLERY_NAME_PATTERN,
    Option,
    Sighting,
    Status,
)
from vigil.text import ONE_LINE_PATTERN
from vigil.toml_file import InvalidToml, TomlTable, parse_toml

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=ONE_LINE_PATTERN, description="a name")]
Word = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$", description="lower-case letters, digits and hyphens")
]
ModelName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="the name of a model")]
Words = Annotated[frozenset[Word], Meta(min_length=1, description="at least one word")]
SourcePattern = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9_.*?\[\]!-]{1,63}$", description="a source, or a pattern such as door-*"),
]
GalleryName = Annotated[str, Meta(pattern=GALLERY_NAME_PATTERN)]
Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""Rising."""
ClockTime = Annotated[
    str,
    Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$", description='a time in quotes such as "08:00"'),
]
"""HH:MM or HH:MM:SS."""
ConsentPolicy = Literal["never", "consented", "always"]
"""Which drops of a source models may be trained on. consented: drops that show only people who consented.
always: all drops, except those that show an enrolled person who did not consent."""

OPEN_AREA = "open"
"""The area of sources that state none."""

DEFAULT_RULES = files("vigil.alerts").joinpath("default_rules.toml")


class InvalidRules(ValueError):
    """The rules are invalid; the message names the key and what is allowed there."""


class Hours(TomlTable, frozen=True):
    """When a source is open; if `opens` is later than `closes`, until the next day, on each day it opens."""

    opens: ClockTime
    closes: ClockTime
    days: Annotated[frozenset[Day], Meta(min_length=1, description="at least one day")] = frozenset(DAYS)
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if self.opens == self.closes:
            raise ValueError("opens and closes are equal; a source without hours is always open")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, OSError, ValueError) as error:
            raise ValueError(f"unknown timezone {self.timezone!r}, such as Europe/Berlin") from error

    def is_open_at(self, at: datetime) -> bool:
        local = at.astimezone(ZoneInfo(self.timezone))
        opens, closes, clock = time.fromisoformat(self.opens), time.fromisoformat(self.closes), local.time()
        today = DAYS[local.weekday()] in self.days
        if opens <= closes:
            return today and opens <= clock < closes
        yesterday = DAYS[local.weekday() - 1] in self.days
        return (today and clock >= opens) or (yesterday and clock < closes)


class Options(TomlTable, frozen=True, omit_defaults=True):
    """Options of the model, in place of its card's.

    detect     size of the detector's input in pixels, or "tiles" for small faces in large pictures
    burst      whether frames that follow each other within seconds may be skipped under overload
    """

    detect: Annotated[str, Meta(pattern=r"^(\d{2,4}|tiles|auto)$", description='"480" or "tiles"')] | None = (
        None
    )
    burst: bool = False


class Source(TomlTable, frozen=True):
    """Where drops come from.

    options              of the model, in place of its card's
    galleries            names of the galleries that its faces are compared with
    store_unknown_faces  whether unknown faces are stored with their sightings, for searches by photo
    training_policy      which of its drops models may be trained on
    """

    area: Word = OPEN_AREA
    hours: Hours | None = None
    options: Options = Options()
    galleries: Annotated[tuple[GalleryName, ...], Meta(min_length=1)] = (DEFAULT_GALLERY,)
    store_unknown_faces: bool = False
    training_policy: ConsentPolicy = "never"

    @property
    def model_options(self) -> Mapping[str, Option]:
        """The options, with the galleries if they are not the default one; other models ignore them."""
        options: dict[str, Option] = to_builtins(self.options)
        if self.galleries == (DEFAULT_GALLERY,):
            return options
        return {**options, GALLERIES_OPTION: " ".join(self.galleries)}

    def is_open_at(self, at: datetime) -> bool:
        return self.hours is None or self.hours.is_open_at(at)


class Condition(TomlTable, frozen=True):
    """What a sighting must fulfil; keys that are not given are fulfilled."""

    status: Annotated[frozenset[Status], Meta(min_length=1, description="at least one status")] | None = None
    tags: Words | None = None
    labels: Annotated[frozenset[Name], Meta(min_length=1, description="at least one label")] | None = None
    models: Annotated[frozenset[ModelName], Meta(min_length=1, description="at least one model")] | None = (
        None
    )
    area: Word | None = None
    hours: Literal["open", "closed"] | None = None
    min_score: Annotated[float, Meta(ge=-1, le=1, description="a number from -1 to 1")] | None = None


class Rule(TomlTable, frozen=True):
    """Raises an alert for each sighting that fulfils its condition.

    window_s   seconds in which sightings of one subject at one source are one alert
    reviewers  number of different people who must agree before the alert is closed
    """

    name: Name
    severity: Severity = "warning"
    window_s: Annotated[int, Meta(ge=1, le=86_400, description="seconds, at most a day")] = 600
    reviewers: Annotated[int, Meta(ge=1, le=3, description="a number from 1 to 3")] = 1
    when: Condition = Condition()

    def matches(self, sighting: Sighting, *, model: str, source: Source, at: datetime) -> bool:
        when = self.when
        return (
            (when.status is None or sighting.status in when.status)
            and (when.tags is None or bool(when.tags & sighting.tags))
            and (when.labels is None or sighting.label in when.labels)
            and (when.models is None or model in when.models)
            and (when.area is None or source.area == when.area)
            and (when.hours is None or (when.hours == "open") == source.is_open_at(at))
            and (when.min_score is None or (sighting.score or 0.0) >= when.min_score)
        )


class RuleSet(TomlTable, frozen=True):
    """The file rules.toml: sources by name or pattern such as `door-*`, and rules."""

    sources: dict[SourcePattern, Source] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is valid by itself and never has an effect."""
        for name, count in Counter(rule.name for rule in self.rules).items():
            if count > 1:
                raise ValueError(f"two rules share a name: {name}")
        areas = sorted({OPEN_AREA, *(source.area for source in self.sources.values())})
        for rule in self.rules:
            if rule.when.area is not None and rule.when.area not in areas:
                problem = f"rule {rule.name}: no source is in the area {rule.when.area}"
                raise ValueError(f"{problem}; areas: {', '.join(areas)}")
        for number, pattern in enumerate(self.sources):
            earlier = next((one for one in [*self.sources][:number] if fnmatchcase(pattern, one)), None)
            if earlier is not None:
                raise ValueError(
                    f"{pattern} has no effect: {earlier} before it matches too, and the first counts"
                )

    def source_settings(self, name: str) -> Source:
        """The settings of the first pattern that matches."""
        matching = (source for pattern, source in self.sources.items() if fnmatchcase(name, pattern))
        return next(matching, Source())


def default_rules() -> RuleSet:
    """The rules that apply until an operator stores others."""
    return parse_rules(DEFAULT_RULES.read_text())


def parse_rules(text: str) -> RuleSet:
    """The rules of a text. Raises InvalidRules."""
    return read_rules("rules.toml", text.encode())


def read_rules(file: str, data: bytes) -> RuleSet:
    """The rules of a file; `file` is its name for messages. Raises InvalidRules.

    A file without rules is refused, as it would switch all alerts off: `rules = []` says that it is intended.
    """
    try:
        toml = parse_toml(file, data)
        rule_set = toml.convert(RuleSet)
    except InvalidToml as error:
        raise InvalidRules(str(error)) from error
    if "rules" not in toml.values:
        raise InvalidRules(
            f"{file}: there is no rule, so that nothing would raise an alert; add [[rules]], or rules = [] if"
            " that is intended"
        )
    return rule_set
