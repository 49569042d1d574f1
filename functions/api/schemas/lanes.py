"""Models of lanes, dead letters and maintenance tasks."""

from typing import Annotated, ClassVar

from pydantic import Field

from functions.api.schemas.fields import ApiModel, DropId, LaneName, ModelParameter, ReleaseId, Timestamp


class LaneState(ApiModel):
    """A lane after it was paused or resumed."""

    lane: LaneName
    paused: Annotated[bool, Field(description="Whether the lane is paused")]


class DropFailure(ApiModel):
    """The last failure of one drop in a dead letter."""

    drop: DropId
    state: Annotated[str | None, Field(description="State of the drop")] = None
    attempts: Annotated[int | None, Field(description="Number of processing attempts")] = None
    stage: Annotated[
        str | None, Field(description="Stage that the last attempt reached", examples=["detect"])
    ] = None
    error: Annotated[
        str | None,
        Field(description="Error of the last attempt", examples=["Transient: read object: SlowDown"]),
    ] = None
    release: ReleaseId | None = None


class DeadLetterOut(ApiModel):
    """A message that failed its last allowed receive."""

    id: Annotated[str, Field(description="SQS message id")]
    sent_at: Timestamp
    redrives: Annotated[int, Field(description="Number of redrives of the message")]
    suspect_drop: Annotated[
        DropId | None,
        Field(description="Drop that may have ended its workers; it is retried alone to find out"),
    ] = None
    drops: Annotated[tuple[DropFailure, ...], Field(description="Drops that the message announces")]


class DeadLetterDetails(DeadLetterOut):
    """A dead letter with its body."""

    body: Annotated[str, Field(description="Message body; inline messages contain the input as base64")]


class DeadLettersQuery(ApiModel):
    """How many dead letters."""

    limit: Annotated[int, Field(ge=1, le=50, description="Maximum number of dead letters")] = 10


class DeadLetterList(ApiModel):
    """Dead letters of a lane with the failures of their drops."""

    items: Annotated[tuple[DeadLetterOut, ...], Field(description="Dead letters in the order of SQS")]


class DeadLetterSelection(ApiModel):
    """Dead letters by id; without ids, all of the lane, at most 500."""

    AUDITED_FIELDS: ClassVar = ("ids", "reason")

    ids: Annotated[
        tuple[Annotated[str, Field(max_length=100)], ...],
        Field(max_length=100, description="Ids of dead letters; empty: all"),
    ] = ()
    reason: Annotated[
        str, Field(min_length=1, max_length=200, description="Reason, noted on the records of the drops")
    ] = "by hand"


class DeadLettersProcessed(ApiModel):
    """How many dead letters were processed."""

    processed: Annotated[
        int, Field(description="Number of dead letters, without those that another receiver holds")
    ]


class TaskStarted(ApiModel):
    """A task that runs in the background."""

    task: Annotated[str, Field(description="Name of the task", examples=["reconcile"])]
    run: Annotated[str, Field(description="Id of the run; its state is at `/v1/{task}/runs/{run}`")]


class BackfillRequest(ApiModel):
    """A part of the bucket to process."""

    model: Annotated[
        ModelParameter | None, Field(description="Name of the model; if absent, the one in each object's key")
    ] = None
    cursor: Annotated[str, Field(max_length=2000, description="`cursor` of the previous part")] = ""


class BackfillResult(ApiModel):
    """One part of the bucket; repeat the request with `cursor` until it is empty."""

    announced: Annotated[int, Field(description="Number of objects that were announced to the bulk lane")]
    cursor: Annotated[str, Field(description="Cursor of the next part; empty after the last one")]
