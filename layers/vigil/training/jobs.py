"""Training jobs: the request, the states and the cost of a job.

    requested ── accepted ──> running ── completed ──> done
      ▲   │                   │  ├────── failed ─────> failed
      │   └── refused ──┐     │  └────── stopped ────> stopped
      │                 ▼     │
      ├──── due ──── waiting <┤ capacity unavailable
      └──────── interrupted ──┘

A refusal tries the next instance type at once. After all have refused, the job waits, longer each round, and
starts again with the first; it fails only after the deadline. An interrupted job (process killed, instance
reclaimed) is requested again under the next name and continues from the checkpoint that all attempts share:
two attempts never run at the same time.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from vigil.toml_file import load_toml

PROGRESS_METRICS: Mapping[str, str] = {
    "train:loss": r"\btrain_loss=([0-9.eE+-]+)",
    "validation:loss": r"\bvalidation_loss=([0-9.eE+-]+)",
    "validation:score": r"\bvalidation_score=([0-9.eE+-]+)",
    "train:steps_per_s": r"\bsteps_per_s=([0-9.eE+-]+)",
    "train:peak_memory_mb": r"\bpeak_memory_mb=([0-9.eE+-]+)",
}
"""By metric name, the regular expression that finds its value in a progress line."""


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """What is trained on what.

    task      "classifier" or "embedding"
    recipe    the recipe's text
    parent    the release to start from or to improve on; None for a first
    image     the container, pinned by digest
    settings  further hyperparameters: {"unfreeze": "true"}
    """

    task: str
    model: str
    dataset_id: str
    recipe: str
    parent: str | None
    image: str
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Twelve hex digits; the same for the same order."""
        settings = "\n".join(f"{name}={value}" for name, value in sorted(self.settings.items()))
        text = "\n".join(
            [self.task, self.model, self.dataset_id, self.parent or "", self.image, self.recipe, settings]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class TrainingPaths:
    """URLs of the folders of data and results."""

    dataset: str
    recipe: str
    output: str
    checkpoints: str


@dataclass(frozen=True, slots=True)
class InstanceType:
    """The instance that a job runs on.

    price_usd_h       on-demand price for an hour
    spot_price_usd_h  expected spot price; the billed price is known afterwards
    """

    name: str
    price_usd_h: float
    spot_price_usd_h: float


@dataclass(frozen=True, slots=True)
class TrainingLimits:
    """The time limits of a job: of the training, and including the wait for spot capacity."""

    max_run_s: int
    max_wait_s: int
    volume_gb: int


@dataclass(frozen=True, slots=True)
class TrainingJobRequest:
    """A complete request; the name is the idempotency key."""

    name: str
    image: str
    hyperparameters: Mapping[str, str]
    channels: Mapping[str, str]
    output: str
    checkpoints: str
    instance_type: InstanceType
    use_spot: bool
    limits: TrainingLimits
    metrics: Mapping[str, str]
    tags: Mapping[str, str]


def job_name(spec: TrainingSpec, attempt: int) -> str:
    """At most 63 letters, digits and hyphens. A name can be used for one job only, hence the attempt."""
    return f"vigil-{spec.model[:38].rstrip('-')}-{spec.id}-{attempt}"


def training_job_request(
    spec: TrainingSpec,
    *,
    attempt: int,
    paths: TrainingPaths,
    instance_type: InstanceType,
    use_spot: bool,
    limits: TrainingLimits,
) -> TrainingJobRequest:
    """The request for one attempt; all attempts share their checkpoints."""
    hyperparameters = {"task": spec.task, "model": spec.model, "data": spec.dataset_id, **spec.settings}
    if spec.parent is not None:
        hyperparameters["parent"] = spec.parent
    splits = {split: f"{paths.dataset.rstrip('/')}/{split}/" for split in ("train", "validation", "test")}
    return TrainingJobRequest(
        name=job_name(spec, attempt),
        image=spec.image,
        hyperparameters=hyperparameters,
        channels={**splits, "recipe": paths.recipe},
        output=paths.output,
        checkpoints=f"{paths.checkpoints.rstrip('/')}/{spec.id}/",
        instance_type=instance_type,
        use_spot=use_spot,
        limits=limits,
        metrics=PROGRESS_METRICS,
        tags={"vigil:model": spec.model, "vigil:data": spec.dataset_id, "vigil:spec": spec.id},
    )


HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """Cost before a job: expected from earlier jobs, and the maximum, on demand until the time limit."""

    expected_usd: float
    max_usd: float


@dataclass(frozen=True, slots=True)
class TrainingCost:
    """Cost after a job; `saved_usd` is the difference to on demand."""

    billed_usd: float
    saved_usd: float


def estimate_cost(
    instance_type: InstanceType, *, spot: bool, expected_s: float, limits: TrainingLimits
) -> CostEstimate:
    """`expected_s` is the training time of the model's last job, or a guess for the first."""
    price = instance_type.spot_price_usd_h if spot else instance_type.price_usd_h
    hours = min(expected_s, limits.max_run_s) / HOUR_S
    max_usd = limits.max_run_s / HOUR_S * instance_type.price_usd_h
    return CostEstimate(hours * price, max_usd)


def training_cost(instance_type: InstanceType, *, training_s: float, billable_s: float) -> TrainingCost:
    """From the service's report: spot is billed as fewer seconds at the on-demand price."""
    usd_per_s = instance_type.price_usd_h / HOUR_S
    return TrainingCost(billable_s * usd_per_s, max(training_s - billable_s, 0.0) * usd_per_s)


def default_instance_types() -> tuple[InstanceType, ...]:
    """The instance types of instance_types.toml, in the order in which they are tried."""
    file = load_toml(Path(__file__).with_name("instance_types.toml"))
    return file.convert(dict[str, tuple[InstanceType, ...]])["instance_types"]


JobState = Literal["requested", "waiting", "running", "done", "failed", "stopped"]
TERMINAL_STATES: frozenset[JobState] = frozenset({"done", "failed", "stopped"})
ShortageReason = Literal["capacity", "quota"]
MAX_INTERRUPTIONS = 2
"""After more interruptions than this, the training itself is assumed to end its process."""


@dataclass(frozen=True, slots=True)
class InstancePool:
    """The instance types to try, in order.

    initial_backoff  wait before the second round, doubled each round up to `max_backoff`
    deadline         after which a job that never ran fails
    """

    instance_types: tuple[InstanceType, ...]
    spot: bool
    initial_backoff: timedelta
    max_backoff: timedelta
    deadline: timedelta


def default_instance_pool(*, spot: bool) -> InstancePool:
    """The instance types of machines.toml; if all refuse, a pause of 5 minutes that doubles up to 2 hours."""
    return InstancePool(
        instance_types=default_instance_types(),
        spot=spot,
        initial_backoff=timedelta(minutes=5),
        max_backoff=timedelta(hours=2),
        deadline=timedelta(days=2),
    )


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """The job of one order.

    attempt          number of the current name, from 1
    instance_index   index into the pool's instance types
    rounds           how often every instance type has refused
    next_attempt_at  when a waiting job is requested again
    interruptions    how often it was interrupted
    detail           why it waits, failed or stopped
    """

    spec: TrainingSpec
    state: JobState
    since: datetime
    created_at: datetime
    attempt: int = 1
    instance_index: int = 0
    rounds: int = 0
    next_attempt_at: datetime | None = None
    interruptions: int = 0
    detail: str = ""

    @property
    def name(self) -> str:
        """The name of the current attempt."""
        return job_name(self.spec, self.attempt)


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a completed job produced: the URL of model.tar.gz, and its seconds at work and on the bill."""

    archive_url: str
    run_s: float
    billable_s: float


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A job with its cost, and the release that was made from its result; "" while there is none.

    failure_note  why no release will be made from the result
    expected_usd, max_usd  estimates from before the job; cost_usd: the bill
    run_s         seconds at work
    """

    job: TrainingJob
    release: str = ""
    failure_note: str = ""
    expected_usd: float = 0.0
    max_usd: float = 0.0
    cost_usd: float = 0.0
    run_s: float = 0.0

    @property
    def awaits_release(self) -> bool:
        return self.job.state == "done" and not self.release and not self.failure_note

    @property
    def is_open(self) -> bool:
        """Whether something remains to be done."""
        return self.awaits_release or self.job.state not in TERMINAL_STATES


@dataclass(frozen=True, slots=True)
class JobAccepted:
    """The job was created, or one of this name exists."""


@dataclass(frozen=True, slots=True)
class JobRefused:
    """No job was created, for lack of capacity or quota: the name is unused."""

    shortage: ShortageReason


@dataclass(frozen=True, slots=True)
class CapacityUnavailable:
    """The job was created and ended before it started: the name is used."""

    shortage: ShortageReason


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The running job was ended from outside."""

    reason: str


@dataclass(frozen=True, slots=True)
class JobCompleted:
    """The job succeeded."""


@dataclass(frozen=True, slots=True)
class JobFailed:
    reason: str


@dataclass(frozen=True, slots=True)
class JobStopped:
    """A person or a time limit ended the job."""

    reason: str


JobEvent = (
    JobAccepted | JobRefused | CapacityUnavailable | Interrupted | JobCompleted | JobFailed | JobStopped
)


def new_job(spec: TrainingSpec, now: datetime) -> TrainingJob:
    return TrainingJob(spec, "requested", now, now)


def apply_event(
    job: TrainingJob, event: JobEvent, *, attempt_name: str, pool: InstancePool, now: datetime
) -> TrainingJob:
    """The job after an event of one of its attempts; a repeated or late event changes nothing."""
    if job.state in TERMINAL_STATES or attempt_name != job.name:
        return job
    match event:
        case JobAccepted():
            return replace(job, state="running", since=now, next_attempt_at=None, detail="")
        case JobRefused(lack) if job.state == "requested":
            return _try_next_instance(job, lack, pool, now)
        case CapacityUnavailable(lack) if job.state == "running":
            return _try_next_instance(replace(job, attempt=job.attempt + 1), lack, pool, now)
        case Interrupted(reason) if job.state == "running":
            return _retry_interrupted(job, reason, now)
        case JobCompleted():
            return replace(job, state="done", since=now, next_attempt_at=None, detail="")
        case JobFailed(reason):
            return replace(job, state="failed", since=now, next_attempt_at=None, detail=reason)
        case JobStopped(reason):
            return replace(job, state="stopped", since=now, next_attempt_at=None, detail=reason)
    return job


def retry(job: TrainingJob, now: datetime) -> TrainingJob:
    """A failed or stopped job, requested again under the next name."""
    if job.state in ("failed", "stopped"):
        return TrainingJob(job.spec, "requested", now, now, attempt=job.attempt + 1)
    return job


def resume_if_due(job: TrainingJob, now: datetime) -> TrainingJob:
    """A waiting job, requested again once it is due."""
    if job.state == "waiting" and job.next_attempt_at is not None and job.next_attempt_at <= now:
        return replace(job, state="requested", since=now, next_attempt_at=None)
    return job


def _retry_interrupted(job: TrainingJob, reason: str, now: datetime) -> TrainingJob:
    """Requested again under the next name on the same instance type; failed after too many interruptions."""
    if job.interruptions >= MAX_INTERRUPTIONS:
        return replace(
            job, state="failed", since=now, detail=f"interrupted {job.interruptions + 1} times: {reason}"
        )
    interruptions = job.interruptions + 1
    return replace(
        job, state="requested", since=now, attempt=job.attempt + 1, interruptions=interruptions, detail=reason
    )


def _try_next_instance(
    job: TrainingJob, shortage: ShortageReason, pool: InstancePool, now: datetime
) -> TrainingJob:
    """Requested on the next instance type, or on the first one after a wait."""
    if job.instance_index + 1 < len(pool.instance_types):
        return replace(job, state="requested", since=now, instance_index=job.instance_index + 1)
    if now - job.created_at >= pool.deadline:
        detail = f"no {shortage} on any of {len(pool.instance_types)} instance types within {pool.deadline}"
        return replace(job, state="failed", since=now, detail=detail)
    backoff = min(pool.initial_backoff * 2 ** min(job.rounds, 16), pool.max_backoff)
    return replace(
        job,
        state="waiting",
        since=now,
        instance_index=0,
        rounds=job.rounds + 1,
        next_attempt_at=now + backoff,
        detail=f"no {shortage}",
    )
