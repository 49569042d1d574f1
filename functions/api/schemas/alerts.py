"""Alerts, reviews and the rules that raise alerts."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from functions.api.schemas.fields import (
    AlertId,
    ApiModel,
    DropId,
    ModelName,
    NextCursor,
    PageQuery,
    RulesToml,
    SightingId,
    Source,
    SourceName,
    SubjectErased,
    ThumbnailUrl,
    Timestamp,
    TimestampParameter,
    Until,
)
from vigil.alerts.reviews import AlertState, ReviewDecision

Severity = Literal["info", "warning", "critical"]


class ReviewOut(ApiModel):
    """One reviewer's verdict."""

    reviewer: Annotated[str, Field(description="Subject of the token that said so")]
    decision: Annotated[ReviewDecision, Field(description="What was said")]
    at: Timestamp


class AlertOut(ApiModel):
    """A sighting that a rule picked out, for people to decide about."""

    id: AlertId
    rule: Annotated[str, Field(description="That picked it", examples=["watch-listed"])]
    severity: Annotated[Severity, Field(description="As the rule has it")]
    status: Annotated[str, Field(description="Of the sighting", examples=["known"])]
    source: SourceName
    model: ModelName
    subject: Annotated[str, Field(description="A person's id, a stranger's within the window, or a label")]
    drop: DropId
    sighting: SightingId
    at: Timestamp
    last_at: Timestamp
    drop_count: Annotated[int, Field(description="How many drops showed the same in this window")]
    review: Annotated[AlertState, Field(description="What the verdicts so far come to")]
    required_reviewers: Annotated[int, Field(description="Different people who must agree to close it")]
    reviews: Annotated[tuple[ReviewOut, ...], Field(description="The verdicts so far")] = ()
    subject_erased: SubjectErased = False
    thumbnail_url: ThumbnailUrl = None


class AlertsQuery(PageQuery):
    """Which alerts, newest first."""

    AUDITED_FIELDS: ClassVar = ("source", "review", "rule")

    source: Source | None = None
    review: Annotated[AlertState | None, Field(description="Only these")] = None
    rule: Annotated[str | None, Field(max_length=100, description="Only of this rule")] = None
    severity: Annotated[Severity | None, Field(description="Only these")] = None
    since: Annotated[TimestampParameter | None, Field(description="A day back unless given")] = None
    until: Until = None


class AlertList(ApiModel):
    """A page of alerts."""

    items: Annotated[list[AlertOut], Field(description="The newest first")]
    next: NextCursor = None


class NewReview(ApiModel):
    """A verdict: it is that person, or that stranger, rightly; it is nothing; it is somebody else."""

    AUDITED_FIELDS: ClassVar = ("decision",)

    decision: Annotated[ReviewDecision, Field(description="It is so; it is nothing; it is somebody else")]


class ReviewResult(ApiModel):
    """What the verdicts so far come to."""

    alert: AlertId
    review: Annotated[AlertState, Field(description="What they come to")]
    review_count: Annotated[int, Field(description="That there are")]
    required_reviewers: Annotated[int, Field(description="Different people who must agree")]


class RuleOut(ApiModel):
    """One rule in force."""

    name: Annotated[str, Field(description="As alerts name it", examples=["watch-listed"])]
    severity: Annotated[Severity, Field(description="Of its alerts")]
    window_s: Annotated[
        int,
        Field(
            description="Seconds in which the same subject at the same source is one alert", examples=[300]
        ),
    ]
    required_reviewers: Annotated[int, Field(description="Different people who must agree to close one")]


class RulesOut(ApiModel):
    """The watch file in force, as it stands, and its rules."""

    toml: RulesToml
    version: Annotated[str, Field(description="Changes with any character of the file")]
    rules: Annotated[list[RuleOut], Field(description="In their order")]


class NewRules(ApiModel):
    """A watch file to put in force."""

    AUDITED_FIELDS: ClassVar = ("version",)

    toml: RulesToml
    version: Annotated[
        str | None, Field(description="Replace only this version: another one has changed meanwhile")
    ] = None


class DryRunRequest(ApiModel):
    """A watch file to try on what was seen."""

    toml: RulesToml
    hours: Annotated[int, Field(ge=1, le=24, description="How far back")] = 24


class RuleDryRun(ApiModel):
    """One rule on the sightings of the last hours."""

    rule: Annotated[str, Field(description="Its name")]
    sightings: Annotated[int, Field(description="That it picks")]
    alerts: Annotated[int, Field(description="At most: strangers who are alike would be one alert")]
    current_alerts: Annotated[int, Field(description="Alerts that rules in force raised under this name")]


class DryRunResult(ApiModel):
    """What would have been raised."""

    sightings: Annotated[int, Field(description="That were looked at")]
    rules: Annotated[list[RuleDryRun], Field(description="What each would have done")]
