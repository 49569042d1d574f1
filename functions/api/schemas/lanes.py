"""Operations: lanes, dead letters, subscriptions."""

from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field

from functions.api.schemas.fields import (
    ApiModel,
    DropId,
    LaneName,
    ReleaseId,
    Source,
    Timestamp,
)

BreakerState = Literal["closed", "open", "half-open"]


class BreakerOut(ApiModel):
    """Whether a lane may go on while a dependency fails."""

    dependency: Annotated[str, Field(description="What fails", examples=["photos"])]
    state: Annotated[BreakerState, Field(description="open: the lane stands still")]
    since: Timestamp


class LaneStatus(ApiModel):
    """One lane, now."""

    lane: LaneName
    visible_messages: Annotated[int, Field(description="Messages, about")]
    dead_letters: Annotated[int, Field(description="Dead letters, about")]
    running: Annotated[bool, Field(description="Whether its messages are taken up")]
    paused: Annotated[bool, Field(description="By hand, until somebody resumes it")]
    workers: Annotated[int | None, Field(description="At most, where balance has set it")] = None
    breakers: Annotated[tuple[BreakerOut, ...], Field(description="Those that ever opened")] = ()


class CompletenessOut(ApiModel):
    """Of the last whole walk over the bucket."""

    objects: Annotated[int, Field(description="In the bucket")]
    completed: Annotated[int, Field(description="That have their end")]
    too_recent: Annotated[int, Field(description="Too young to be missed")]


class Slo(ApiModel):
    """A service level objective, by what was counted; a window in which nothing happened is left out."""

    name: Annotated[str, Field(description="As infra/slo.toml has it", examples=["live-age"])]
    description: Annotated[str, Field(description="What is promised")]
    target: Annotated[float, Field(description="Share of good events, 0 to 1, over 30 days")]
    good_ratio: Annotated[
        dict[str, float], Field(description="Share of good events by window: 1h, 6h, 3d, 30d")
    ]
    burn_rate: Annotated[
        dict[str, float],
        Field(description="By window, how many times as fast as it may the budget goes; alarms: 14.4, 6, 1"),
    ]
    budget_remaining: Annotated[
        float | None, Field(description="Of the budget of 30 days; below 0 the promise is broken")
    ] = None


class SystemStatus(ApiModel):
    """How the system is."""

    lanes: Annotated[tuple[LaneStatus, ...], Field(description="live and bulk")]
    degradation_level: Annotated[int, Field(description="Steps in force; 0 is none")]
    completeness: Annotated[CompletenessOut | None, Field(description="None before the first walk")] = None
    slos: Annotated[tuple[Slo, ...], Field(description="How each is kept")]


class LaneState(ApiModel):
    """A lane after pause or resume."""

    lane: LaneName
    paused: Annotated[bool, Field(description="Whether it stands still now")]


class DeadLetterList(ApiModel):
    """Dead letters of a lane, with what the ledger knows of each drop in them."""

    items: Annotated[tuple["DeadLetterOut", ...], Field(description="As SQS hands them out")]


class DropFailure(ApiModel):
    """One drop in a dead letter."""

    drop: DropId
    state: Annotated[str | None, Field(description="Of its record")] = None
    attempts: Annotated[int | None, Field(description="How often it was taken up")] = None
    stage: Annotated[str | None, Field(description="Where the last attempt failed", examples=["detect"])] = (
        None
    )
    error: Annotated[
        str | None, Field(description="What failed", examples=["Transient: read object: SlowDown"])
    ] = None
    release: ReleaseId | None = None


class DeadLetterOut(ApiModel):
    """A message that failed as often as it may."""

    id: Annotated[str, Field(description="Its message id")]
    sent_at: Timestamp
    redrives: Annotated[int, Field(description="How often it was sent back")]
    suspect_drop: Annotated[
        DropId | None,
        Field(description="The drop that may end its workers; that it fails again by itself is the proof"),
    ] = None
    drops: Annotated[tuple[DropFailure, ...], Field(description="What it announces")]


class DeadLettersQuery(ApiModel):
    """How many."""

    limit: Annotated[int, Field(ge=1, le=50, description="At most so many")] = 10


class DeadLetterSelection(ApiModel):
    """Dead letters by their ids; without any, all of the lane (at most 500)."""

    AUDITED_FIELDS: ClassVar = ("ids", "reason")

    ids: Annotated[
        tuple[Annotated[str, Field(max_length=100)], ...],
        Field(max_length=100, description="Their ids; none: all"),
    ] = ()
    reason: Annotated[str, Field(min_length=1, max_length=200, description="For the ledger")] = "by hand"


class DeadLettersProcessed(ApiModel):
    """How many were dealt with; those that somebody else holds at the moment are not among them."""

    processed: Annotated[int, Field(description="How many")]


class TaskStarted(ApiModel):
    """It goes on by itself."""

    task: Annotated[str, Field(description="What goes on", examples=["reconcile"])]


class BackfillRequest(ApiModel):
    """An old bucket shown to a model, a part at a time."""

    model: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z0-9][a-z0-9-]{0,62}$",
            description="That is shown it; the one it was dropped for unless given",
        ),
    ] = None
    cursor: Annotated[str, Field(max_length=2000, description="`cursor` of the part before")] = ""


class BackfillResult(ApiModel):
    """One part of it; ask again with the cursor until it is empty."""

    announced: Annotated[int, Field(description="Objects in this part that are looked at now")]
    cursor: Annotated[str, Field(description="Of the next part; empty after the last")]


EventType = Literal["vigil.alert.raised", "vigil.drop.done", "vigil.drop.rejected", "vigil.drop.quarantined"]


class NewSubscription(ApiModel):
    """An HTTPS endpoint that is to be told; it must confirm, as SNS asks it to."""

    AUDITED_FIELDS: ClassVar = ("host", "types", "sources")

    url: Annotated[
        str,
        Field(
            max_length=500,
            pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?$",
            description="Where SNS posts to",
        ),
    ]
    types: Annotated[tuple[EventType, ...], Field(min_length=1, max_length=4, description="What is told")] = (
        "vigil.alert.raised",
    )
    severities: Annotated[
        tuple[Literal["info", "warning", "critical"], ...],
        Field(max_length=3, description="Of alerts, only these; all unless given"),
    ] = ()
    sources: Annotated[
        tuple[Source, ...], Field(max_length=50, description="All that you see unless given")
    ] = ()

    @property
    def host(self) -> str:
        """What is written down of the address: its path may hold a secret."""
        return urlsplit(self.url).netloc


class SubscriptionOut(ApiModel):
    """Who is told what."""

    id: Annotated[str, Field(description="Its id")]
    url: Annotated[str, Field(description="Who is told")]
    filter: Annotated[dict[str, Any] | None, Field(description="SNS's filter policy")] = None


class SubscriptionList(ApiModel):
    """Those of the caller; of everybody, for an admin."""

    items: Annotated[tuple[SubscriptionOut, ...], Field(description="In no order")]
