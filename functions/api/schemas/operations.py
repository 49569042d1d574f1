"""Operations: lanes, dead letters, subscriptions."""

from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field

from functions.api.schemas.shape import Moment, Shape, Source

BreakerState = Literal["closed", "open", "half-open"]


class Breaker(Shape):
    """Whether a lane may go on while a dependency fails."""

    dependency: str
    state: BreakerState
    since: Moment


class LaneStatus(Shape):
    """One lane, now."""

    lane: str
    waiting: Annotated[int, Field(description="Messages, about")]
    dead: Annotated[int, Field(description="Dead letters, about")]
    running: bool
    paused: Annotated[bool, Field(description="By hand, until somebody resumes it")]
    workers: Annotated[int | None, Field(description="At most, where balance has set it")] = None
    breakers: tuple[Breaker, ...] = ()


class Completeness(Shape):
    """Of the last whole walk over the bucket."""

    objects: int
    settled: int
    young: int


class Promised(Shape):
    """A service level objective, by what was counted; a window in which nothing happened is left out."""

    name: str
    says: str
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

    lanes: tuple[LaneStatus, ...]
    degradation: Annotated[int, Field(description="Steps in force; 0 is none")]
    completeness: Completeness | None = None
    promises: tuple[Promised, ...]


class LaneSwitched(Shape):
    """A lane after pause or resume."""

    lane: str
    paused: bool


class Letters(Shape):
    """Dead letters of a lane, with what the ledger knows of each drop in them."""

    items: tuple["DeadLetter", ...]


class Evidence(Shape):
    """One drop in a dead letter."""

    drop: str
    state: str | None = None
    attempts: int | None = None
    stage: str | None = None
    error: str | None = None
    release: str | None = None


class DeadLetter(Shape):
    """A message that failed as often as it may."""

    letter: str
    sent_at: Moment
    redrives: int
    drops: tuple[Evidence, ...]


class LettersQuery(Shape):
    """How many."""

    limit: Annotated[int, Field(ge=1, le=50)] = 10


class Chosen(Shape):
    """Dead letters by their ids; without any, all of the lane (at most 500)."""

    NOTED: ClassVar = ("letters", "why")

    letters: Annotated[tuple[Annotated[str, Field(max_length=100)], ...], Field(max_length=100)] = ()
    why: Annotated[str, Field(min_length=1, max_length=200, description="For the ledger")] = "by hand"


class Moved(Shape):
    """How many were dealt with; those that somebody else holds at the moment are not among them."""

    letters: int


class Started(Shape):
    """It goes on by itself."""

    started: str


class BackFill(Shape):
    """An old bucket shown to a model, a part at a time."""

    model: Annotated[str | None, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = None
    cursor: Annotated[str, Field(max_length=2000, description="`cursor` of the part before")] = ""


class BackFilled(Shape):
    """One part of it; ask again with the cursor until it is empty."""

    announced: int
    cursor: str


EventType = Literal["vigil.alert.raised", "vigil.drop.done", "vigil.drop.rejected", "vigil.drop.quarantined"]


class NewSubscription(Shape):
    """An HTTPS endpoint that is to be told; it must confirm, as SNS asks it to."""

    NOTED: ClassVar = ("host", "types", "sources")

    url: Annotated[str, Field(max_length=500, pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?$")]
    types: Annotated[tuple[EventType, ...], Field(min_length=1, max_length=4)] = ("vigil.alert.raised",)
    severities: Annotated[tuple[Literal["info", "warning", "critical"], ...], Field(max_length=3)] = ()
    sources: Annotated[
        tuple[Source, ...], Field(max_length=50, description="All that you see unless given")
    ] = ()

    @property
    def host(self) -> str:
        """What is written down of the address: its path may hold a secret."""
        return urlsplit(self.url).netloc


class Subscription(Shape):
    """Who is told what."""

    subscription: str
    url: str
    filter: dict[str, Any] | None = None


class Subscriptions(Shape):
    """Those of the caller; of everybody, for an admin."""

    items: tuple[Subscription, ...]
