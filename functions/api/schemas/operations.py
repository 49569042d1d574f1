"""Operations: lanes, dead letters, subscriptions."""

from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field

from functions.api.schemas.shape import DropId, LaneName, Moment, ReleaseId, Shape, Source

BreakerState = Literal["closed", "open", "half-open"]


class Breaker(Shape):
    """Whether a lane may go on while a dependency fails."""

    dependency: Annotated[str, Field(description="What fails", examples=["photos"])]
    state: Annotated[BreakerState, Field(description="open: the lane stands still")]
    since: Moment


class LaneStatus(Shape):
    """One lane, now."""

    lane: LaneName
    waiting: Annotated[int, Field(description="Messages, about")]
    dead: Annotated[int, Field(description="Dead letters, about")]
    running: Annotated[bool, Field(description="Whether its messages are taken up")]
    paused: Annotated[bool, Field(description="By hand, until somebody resumes it")]
    workers: Annotated[int | None, Field(description="At most, where balance has set it")] = None
    breakers: Annotated[tuple[Breaker, ...], Field(description="Those that ever opened")] = ()


class Completeness(Shape):
    """Of the last whole walk over the bucket."""

    objects: Annotated[int, Field(description="In the bucket")]
    settled: Annotated[int, Field(description="That have their end")]
    young: Annotated[int, Field(description="Too young to be missed")]


class Promised(Shape):
    """A service level objective, by what was counted; a window in which nothing happened is left out."""

    name: Annotated[str, Field(description="As infra/slo.toml has it", examples=["live-age"])]
    says: Annotated[str, Field(description="What is promised")]
    target: Annotated[float, Field(description="Share of good events, 0 to 1, over 30 days")]
    good: Annotated[dict[str, float], Field(description="Share of good events by window: 1h, 6h, 3d, 30d")]
    burn: Annotated[
        dict[str, float],
        Field(description="By window, how many times as fast as it may the budget goes; alarms: 14.4, 6, 1"),
    ]
    left: Annotated[
        float | None, Field(description="Of the budget of 30 days; below 0 the promise is broken")
    ] = None


class Status(Shape):
    """How the system is."""

    lanes: Annotated[tuple[LaneStatus, ...], Field(description="live and bulk")]
    degradation: Annotated[int, Field(description="Steps in force; 0 is none")]
    completeness: Annotated[Completeness | None, Field(description="None before the first walk")] = None
    promises: Annotated[tuple[Promised, ...], Field(description="How each is kept")]


class LaneSwitched(Shape):
    """A lane after pause or resume."""

    lane: LaneName
    paused: Annotated[bool, Field(description="Whether it stands still now")]


class Letters(Shape):
    """Dead letters of a lane, with what the ledger knows of each drop in them."""

    items: Annotated[tuple["DeadLetter", ...], Field(description="As SQS hands them out")]


class Evidence(Shape):
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


class DeadLetter(Shape):
    """A message that failed as often as it may."""

    letter: Annotated[str, Field(description="Its message id")]
    sent_at: Moment
    redrives: Annotated[int, Field(description="How often it was sent back")]
    suspected: Annotated[
        DropId | None,
        Field(description="The drop that may end its workers; that it fails again by itself is the proof"),
    ] = None
    drops: Annotated[tuple[Evidence, ...], Field(description="What it announces")]


class LettersQuery(Shape):
    """How many."""

    limit: Annotated[int, Field(ge=1, le=50, description="At most so many")] = 10


class Chosen(Shape):
    """Dead letters by their ids; without any, all of the lane (at most 500)."""

    NOTED: ClassVar = ("letters", "why")

    letters: Annotated[
        tuple[Annotated[str, Field(max_length=100)], ...],
        Field(max_length=100, description="Their ids; none: all"),
    ] = ()
    why: Annotated[str, Field(min_length=1, max_length=200, description="For the ledger")] = "by hand"


class Moved(Shape):
    """How many were dealt with; those that somebody else holds at the moment are not among them."""

    letters: Annotated[int, Field(description="How many")]


class Started(Shape):
    """It goes on by itself."""

    started: Annotated[str, Field(description="What goes on", examples=["reconcile"])]


class BackFill(Shape):
    """An old bucket shown to a model, a part at a time."""

    model: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z0-9][a-z0-9-]{0,62}$",
            description="That is shown it; the one it was dropped for unless given",
        ),
    ] = None
    cursor: Annotated[str, Field(max_length=2000, description="`cursor` of the part before")] = ""


class BackFilled(Shape):
    """One part of it; ask again with the cursor until it is empty."""

    announced: Annotated[int, Field(description="Objects in this part that are looked at now")]
    cursor: Annotated[str, Field(description="Of the next part; empty after the last")]


EventType = Literal["vigil.alert.raised", "vigil.drop.done", "vigil.drop.rejected", "vigil.drop.quarantined"]


class NewSubscription(Shape):
    """An HTTPS endpoint that is to be told; it must confirm, as SNS asks it to."""

    NOTED: ClassVar = ("host", "types", "sources")

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


class Subscription(Shape):
    """Who is told what."""

    subscription: Annotated[str, Field(description="Its id")]
    url: Annotated[str, Field(description="Who is told")]
    filter: Annotated[dict[str, Any] | None, Field(description="SNS's filter policy")] = None


class Subscriptions(Shape):
    """Those of the caller; of everybody, for an admin."""

    items: Annotated[tuple[Subscription, ...], Field(description="In no order")]
