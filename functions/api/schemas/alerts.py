"""Models of alerts, reviews and rules."""

from typing import Annotated, ClassVar

from pydantic import Field

from functions.api.schemas.fields import (
    AlertId,
    ApiModel,
    DropId,
    IdPrefix,
    ModelName,
    NextCursor,
    PageQuery,
    PersonFilter,
    RulesToml,
    Severity,
    SightingId,
    Since,
    Source,
    SourceName,
    SubjectErased,
    SubjectName,
    ThumbnailUrl,
    Timestamp,
    Until,
)
from vigil.alerts.reviews import AlertState, ReviewDecision

ReviewState = Annotated[AlertState, Field(description="State that follows from the reviews")]
RequiredReviewers = Annotated[
    int, Field(description="Number of different people who must agree to close the alert")
]


class ReviewOut(ApiModel):
    """The decision of one reviewer."""

    reviewer: Annotated[str, Field(description="Subject of the reviewer's token")]
    decision: Annotated[ReviewDecision, Field(description="Decision of the reviewer")]
    at: Timestamp


class AlertOut(ApiModel):
    """An alert: a sighting that a rule selected for review."""

    id: AlertId
    rule: Annotated[str, Field(description="Rule that raised the alert", examples=["watch-listed"])]
    severity: Annotated[Severity, Field(description="Severity of the rule")]
    status: Annotated[str, Field(description="Status of the sighting", examples=["known"])]
    source: SourceName
    model: ModelName
    subject: Annotated[
        str, Field(description="Id of a person, id of an unknown subject within the time window, or a label")
    ]
    subject_name: SubjectName = None
    drop: DropId
    sighting: SightingId
    at: Timestamp
    last_at: Timestamp
    drop_count: Annotated[int, Field(description="Number of drops with the same subject in the time window")]
    review: ReviewState
    required_reviewers: RequiredReviewers
    reviews: Annotated[tuple[ReviewOut, ...], Field(description="Reviews of the alert")] = ()
    subject_erased: SubjectErased = False
    thumbnail_url: ThumbnailUrl = None


class AlertsQuery(PageQuery):
    """Filters of a list of alerts."""

    AUDITED_FIELDS: ClassVar = ("source", "review", "rule", "person")

    source: Source | None = None
    review: Annotated[AlertState | None, Field(description="Only alerts in this review state")] = None
    rule: Annotated[str | None, Field(max_length=100, description="Only alerts of this rule")] = None
    severity: Annotated[Severity | None, Field(description="Only alerts of this severity")] = None
    person: PersonFilter = None
    id_prefix: IdPrefix = None
    since: Since = None
    until: Until = None


class AlertList(ApiModel):
    """A page of alerts."""

    items: Annotated[list[AlertOut], Field(description="Alerts, newest first")]
    next: NextCursor = None


class NewReview(ApiModel):
    """A review of an alert."""

    AUDITED_FIELDS: ClassVar = ("decision",)

    decision: Annotated[
        ReviewDecision,
        Field(
            description="confirm: the alert is correct; dismiss: it is irrelevant;"
            " not-this-person: the subject is somebody else"
        ),
    ]


class ReviewResult(ApiModel):
    """The state of an alert after a review."""

    alert: AlertId
    review: ReviewState
    review_count: Annotated[int, Field(description="Number of reviews")]
    required_reviewers: RequiredReviewers


class RuleOut(ApiModel):
    """A current rule."""

    name: Annotated[str, Field(description="Name of the rule", examples=["watch-listed"])]
    severity: Annotated[Severity, Field(description="Severity of its alerts")]
    window_s: Annotated[
        int,
        Field(
            description="Seconds in which sightings of the same subject and source raise one alert",
            examples=[300],
        ),
    ]
    required_reviewers: RequiredReviewers


class RulesOut(ApiModel):
    """The current rules."""

    toml: RulesToml
    version: Annotated[str, Field(description="Hash of the text")]
    rules: Annotated[list[RuleOut], Field(description="Rules in the order of the text")]
    problem: Annotated[str | None, Field(description="Why the stored text is not valid")] = None


class RulesHistoryQuery(ApiModel):
    """How many versions."""

    limit: Annotated[int, Field(ge=1, le=50, description="Maximum number of versions")] = 10


class RulesHistoryEntry(ApiModel):
    """Rules that were put into force."""

    at: Timestamp
    version: Annotated[str, Field(description="Hash of the text")]
    caller: Annotated[str, Field(description="Subject of the caller's token")]
    toml: RulesToml


class RulesHistory(ApiModel):
    """Rules that were put into force."""

    items: Annotated[tuple[RulesHistoryEntry, ...], Field(description="Versions, newest first")]


class NewRules(ApiModel):
    """Rules that replace the current ones."""

    AUDITED_FIELDS: ClassVar = ("version",)

    toml: RulesToml
    version: Annotated[
        str | None,
        Field(
            max_length=64,
            description="Version to replace; answered with 409 if the current version is another one",
        ),
    ] = None


class DryRunRequest(ApiModel):
    """Rules to evaluate on recent sightings."""

    toml: RulesToml
    hours: Annotated[int, Field(ge=1, le=24, description="Age of the oldest sighting in hours")] = 24


class RuleDryRun(ApiModel):
    """What one rule selects."""

    rule: Annotated[str, Field(description="Name of the rule")]
    sightings: Annotated[int, Field(description="Number of selected sightings")]
    alerts: Annotated[int, Field(description="Minimum number of alerts")]
    max_alerts: Annotated[
        int,
        Field(
            description="Maximum number of alerts: unknown faces of one source and time window may be of one"
            " person or of several, which stored sightings do not tell"
        ),
    ]
    current_alerts: Annotated[
        int, Field(description="Number of alerts that a current rule of this name raised in this time")
    ]


class DryRunResult(ApiModel):
    """What the rules select among recent sightings."""

    sightings: Annotated[int, Field(description="Number of evaluated sightings")]
    complete: Annotated[bool, Field(description="Whether these are all sightings; the newest 5000 at most")]
    rules: Annotated[list[RuleDryRun], Field(description="Result of each rule")]
