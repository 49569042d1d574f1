"""Models of the system's status."""

from typing import Annotated, Literal

from pydantic import Field

from functions.api.schemas.fields import ApiModel, DropId, LaneName, ReleaseId, Timestamp

BreakerState = Literal["closed", "open", "half-open"]


class BreakerOut(ApiModel):
    """The circuit breaker of a lane for one dependency."""

    dependency: Annotated[str, Field(description="Dependency that fails", examples=["objects"])]
    state: Annotated[BreakerState, Field(description="open: the lane is stopped")]
    since: Timestamp


class LaneStatus(ApiModel):
    """The current status of a lane."""

    lane: LaneName
    visible_messages: Annotated[int, Field(description="Approximate number of messages in the queue")]
    in_flight_messages: Annotated[
        int, Field(description="Approximate number of messages that workers are processing")
    ]
    oldest_message_age_s: Annotated[
        float, Field(description="Age of the oldest message in seconds, from CloudWatch; 0: no message")
    ]
    calls: Annotated[int, Field(description="Number of deliveries of drops in the last 10 minutes")]
    failures: Annotated[
        dict[str, int],
        Field(
            description="Number of failed deliveries in the last 10 minutes, by the dependency that failed",
            examples=[{"objects": 3}],
        ),
    ]
    dead_letters: Annotated[
        int, Field(description="Approximate number of dead letters, with those that somebody is reading")
    ]
    running: Annotated[bool, Field(description="Whether the event source mapping is enabled")]
    paused: Annotated[bool, Field(description="Whether an operator paused the lane")]
    workers: Annotated[
        int | None, Field(description="Maximum number of workers, once the controller has set it")
    ] = None
    breakers: Annotated[
        tuple[BreakerOut, ...], Field(description="Breakers of dependencies that have failed")
    ] = ()


class CompletenessOut(ApiModel):
    """Counts of the last complete reconcile run."""

    objects: Annotated[int, Field(description="Number of objects in the bucket")]
    completed: Annotated[int, Field(description="Number of objects whose drop has a final state")]
    too_recent: Annotated[int, Field(description="Number of objects too recent to be reported as missing")]


class Slo(ApiModel):
    """A service level objective and its current values; windows without events are absent."""

    name: Annotated[str, Field(description="Name in infra/slo.toml", examples=["live-age"])]
    description: Annotated[str, Field(description="What the objective promises")]
    target: Annotated[float, Field(description="Required share of good events over 30 days, 0 to 1")]
    good_ratio: Annotated[
        dict[str, float], Field(description="Share of good events per window: 1h, 6h, 3d, 30d")
    ]
    burn_rate: Annotated[
        dict[str, float],
        Field(
            description="Error-budget burn rate per window (1: the budget lasts exactly 30 days);"
            " alarms at 14.4, 6 and 1"
        ),
    ]
    budget_remaining: Annotated[
        float | None,
        Field(description="Remaining share of the 30-day error budget; negative: the objective is missed"),
    ] = None


class UnpublishedEvents(ApiModel):
    """Batches of events that could not be published; triage publishes them again."""

    batches: Annotated[int, Field(description="Approximate number of batches")]
    oldest_age_s: Annotated[
        float, Field(description="Age of the oldest batch in seconds, from CloudWatch; 0: no batch")
    ]


class SystemStatus(ApiModel):
    """The status of the system."""

    lanes: Annotated[tuple[LaneStatus, ...], Field(description="The lanes live and bulk")]
    unpublished: UnpublishedEvents
    degradation_level: Annotated[int, Field(description="Number of active degradation steps")]
    completeness: Annotated[
        CompletenessOut | None, Field(description="Absent before the first complete reconcile run")
    ] = None
    slos: Annotated[tuple[Slo, ...], Field(description="Service level objectives")]


class AlarmOut(ApiModel):
    """One alarm."""

    name: Annotated[str, Field(description="Name without the deployment's prefix", examples=["live-age"])]
    state: Annotated[Literal["OK", "ALARM", "INSUFFICIENT_DATA"], Field(description="State in CloudWatch")]
    since: Annotated[Timestamp | None, Field(description="Last change of the state")] = None
    description: Annotated[str, Field(description="What the alarm means")]
    runbook: Annotated[
        str | None,
        Field(description="Section of the run-book", examples=["docs/operations.md#live-age"]),
    ] = None
    reason: Annotated[str | None, Field(description="Why the alarm is in this state")] = None


class AlarmList(ApiModel):
    """All alarms that notify operators."""

    items: Annotated[tuple[AlarmOut, ...], Field(description="Alarms in the state ALARM first, by name")]


class ReconcileStatus(ApiModel):
    """The result of the last reconcile runs."""

    in_progress: Annotated[bool, Field(description="Whether a comparison of the bucket has not ended yet")]
    reannounced: Annotated[int, Field(description="Number of objects that the last run announced again")]
    completeness: Annotated[
        CompletenessOut | None, Field(description="Absent before the first complete comparison")
    ] = None


class FaultOut(ApiModel):
    """Equal failures of dead letters, as triage has grouped them."""

    id: Annotated[str, Field(description="Fingerprint of the failures", examples=["5d0c41f2a9be7713"])]
    kind: Annotated[str, Field(description="Type of the error", examples=["Transient"])]
    message: Annotated[str, Field(description="Error message without ids, numbers and quoted text")]
    stage: Annotated[str, Field(description="Stage of the failures", examples=["read"])]
    release: ReleaseId | None = None
    dependency: Annotated[str, Field(description="Dependency that failed", examples=["objects"])]
    phase: Annotated[str, Field(description="What triage does about the fault", examples=["new"])]
    since: Timestamp
    first_failed_at: Timestamp
    canary_drop: Annotated[
        DropId | None, Field(description="Drop whose dead letter was redriven alone as a test")
    ] = None
    failures: Annotated[int, Field(description="Number of canaries that failed")]


class TriageStatus(ApiModel):
    """The faults that triage knows."""

    faults: Annotated[tuple[FaultOut, ...], Field(description="Faults, latest change of phase first")]


class TriageReportOut(ApiModel):
    """What one run of triage did with dead letters."""

    messages: Annotated[int, Field(description="Number of dead letters")]
    redriven: Annotated[int, Field(description="Number of dead letters sent back to their lane")]
    quarantined: Annotated[int, Field(description="Number of dead letters whose drop was quarantined")]
    discarded: Annotated[int, Field(description="Number of dead letters that needed no processing")]
    waiting: Annotated[int, Field(description="Number of dead letters left in their queue")]
    new_faults: Annotated[int, Field(description="Number of faults that triage found for the first time")]
    reasons: Annotated[
        dict[str, int],
        Field(
            description="Number of dead letters by action and reason",
            examples=[{"waiting: others like it go first": 2}],
        ),
    ]
    republished: Annotated[
        int, Field(description="Number of batches of events that were published after an earlier failure")
    ]
    unpublished: Annotated[
        int, Field(description="Number of batches of events that could not be published again either")
    ]


class TaskRunOut(ApiModel):
    """A run that an operator started; it is stored for a day."""

    run: Annotated[str, Field(description="Id of the run")]
    state: Annotated[
        Literal["running", "completed", "failed"],
        Field(description="A failed run starts again up to twice within minutes"),
    ]
    error: Annotated[str | None, Field(description="Why the run failed")] = None


class TriageRun(TaskRunOut):
    """A run of triage."""

    report: Annotated[TriageReportOut | None, Field(description="Report of a completed run")] = None


class ReconcileRun(TaskRunOut):
    """A run of reconcile."""

    report: Annotated[ReconcileStatus | None, Field(description="Result of a completed run")] = None
