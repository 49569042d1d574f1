"""Alerts, reviews and the rules that raise alerts."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from functions.api.schemas.shape import (
    AlertId,
    DropId,
    Forgotten,
    From,
    ModelName,
    Moment,
    Next,
    Page,
    Shape,
    SightingId,
    Source,
    Thumbnail,
    Toml,
    Until,
    When,
)
from vigil.watch.reviews import State, Verdict

Severity = Literal["info", "warning", "critical"]


class Review(Shape):
    """One reviewer's verdict."""

    reviewer: Annotated[str, Field(description="Subject of the token that said so")]
    verdict: Annotated[Verdict, Field(description="What was said")]
    at: Moment


class Alert(Shape):
    """A sighting that a rule picked out, for people to decide about."""

    alert: AlertId
    rule: Annotated[str, Field(description="That picked it", examples=["watch-listed"])]
    severity: Annotated[Severity, Field(description="As the rule has it")]
    status: Annotated[str, Field(description="Of the sighting", examples=["known"])]
    source: From
    model: ModelName
    subject: Annotated[str, Field(description="A person's id, a stranger's within the window, or a label")]
    drop: DropId
    sighting: SightingId
    at: Moment
    last_at: Moment
    drops: Annotated[int, Field(description="How many drops showed the same in this window")]
    review: Annotated[State, Field(description="What the verdicts so far come to")]
    reviewers: Annotated[int, Field(description="Different people who must agree to close it")]
    reviews: Annotated[tuple[Review, ...], Field(description="The verdicts so far")] = ()
    forgotten: Forgotten = False
    thumbnail_url: Thumbnail = None


class AlertsQuery(Page):
    """Which alerts, newest first."""

    NOTED: ClassVar = ("source", "review", "rule")

    source: Source | None = None
    review: Annotated[State | None, Field(description="Only these")] = None
    rule: Annotated[str | None, Field(max_length=100, description="Only of this rule")] = None
    severity: Annotated[Severity | None, Field(description="Only these")] = None
    since: Annotated[When | None, Field(description="A day back unless given")] = None
    until: Until = None


class Alerts(Shape):
    """A page of alerts."""

    items: Annotated[list[Alert], Field(description="The newest first")]
    next: Next = None


class NewReview(Shape):
    """A verdict: it is that person, or that stranger, rightly; it is nothing; it is somebody else."""

    NOTED: ClassVar = ("verdict",)

    verdict: Annotated[Verdict, Field(description="It is so; it is nothing; it is somebody else")]


class Reviewed(Shape):
    """What the verdicts so far come to."""

    alert: AlertId
    review: Annotated[State, Field(description="What they come to")]
    verdicts: Annotated[int, Field(description="That there are")]
    reviewers: Annotated[int, Field(description="Different people who must agree")]


class Rule(Shape):
    """One rule in force."""

    name: Annotated[str, Field(description="As alerts name it", examples=["watch-listed"])]
    severity: Annotated[Severity, Field(description="Of its alerts")]
    window_s: Annotated[
        int,
        Field(
            description="Seconds in which the same subject at the same source is one alert", examples=[300]
        ),
    ]
    reviewers: Annotated[int, Field(description="Different people who must agree to close one")]


class Rules(Shape):
    """The watch file in force, as it stands, and its rules."""

    toml: Toml
    version: Annotated[str, Field(description="Changes with any character of the file")]
    rules: Annotated[list[Rule], Field(description="In their order")]


class NewRules(Shape):
    """A watch file to put in force."""

    NOTED: ClassVar = ("version",)

    toml: Toml
    version: Annotated[
        str | None, Field(description="Replace only this version: another one has changed meanwhile")
    ] = None


class TryRules(Shape):
    """A watch file to try on what was seen."""

    toml: Toml
    hours: Annotated[int, Field(ge=1, le=24, description="How far back")] = 24


class Tried(Shape):
    """One rule on the sightings of the last hours."""

    rule: Annotated[str, Field(description="Its name")]
    sightings: Annotated[int, Field(description="That it picks")]
    alerts: Annotated[int, Field(description="At most: strangers who are alike would be one alert")]
    now: Annotated[int, Field(description="Alerts that rules in force raised under this name")]


class DryRun(Shape):
    """What would have been raised."""

    sightings: Annotated[int, Field(description="That were looked at")]
    rules: Annotated[list[Tried], Field(description="What each would have done")]
