"""Alerts, reviews and the rules that raise alerts."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from functions.api.schemas.shape import Moment, Page, Shape, Source, When
from vigil.watch.reviews import State, Verdict

Severity = Literal["info", "warning", "critical"]


class Review(Shape):
    """One reviewer's verdict."""

    reviewer: str
    verdict: Verdict
    at: Moment


class Alert(Shape):
    """A sighting that a rule picked out, for people to decide about."""

    alert: str
    rule: str
    severity: Severity
    status: str
    source: str
    model: str
    subject: Annotated[str, Field(description="A person's id, a stranger's within the window, or a label")]
    drop: str
    sighting: str
    at: Moment
    last_at: Moment
    drops: Annotated[int, Field(description="How many drops showed the same in this window")]
    review: State
    reviewers: Annotated[int, Field(description="Different people who must agree to close it")]
    reviews: tuple[Review, ...] = ()


class AlertsQuery(Page):
    """Which alerts, newest first."""

    NOTED: ClassVar = ("source", "review", "rule")

    source: Source | None = None
    review: State | None = None
    rule: Annotated[str | None, Field(max_length=100)] = None
    severity: Severity | None = None
    since: Annotated[When | None, Field(description="A day back unless given")] = None


class Alerts(Shape):
    """A page of alerts."""

    items: list[Alert]
    next: str | None = None


class NewReview(Shape):
    """A verdict: it is that person, or that stranger, rightly; it is nothing; it is somebody else."""

    NOTED: ClassVar = ("verdict",)

    verdict: Verdict


class Reviewed(Shape):
    """What the verdicts so far come to."""

    alert: str
    review: State
    verdicts: int
    reviewers: int


class Rule(Shape):
    """One rule in force."""

    name: str
    severity: Severity
    window_s: int
    reviewers: int


class Rules(Shape):
    """The watch file in force, as it stands, and its rules."""

    toml: str
    version: Annotated[str, Field(description="Changes with any character of the file")]
    rules: list[Rule]


class NewRules(Shape):
    """A watch file to put in force."""

    NOTED: ClassVar = ("version",)

    toml: Annotated[str, Field(max_length=100_000)]
    version: Annotated[
        str | None, Field(description="Replace only this version: another one has changed meanwhile")
    ] = None


class TryRules(Shape):
    """A watch file to try on what was seen."""

    toml: Annotated[str, Field(max_length=100_000)]
    hours: Annotated[int, Field(ge=1, le=24)] = 24


class Tried(Shape):
    """One rule on the sightings of the last hours."""

    rule: str
    sightings: int
    alerts: Annotated[int, Field(description="At most: strangers who are alike would be one alert")]
    now: Annotated[int, Field(description="Alerts that rules in force raised under this name")]


class DryRun(Shape):
    """What would have been raised."""

    sightings: int
    rules: list[Tried]
