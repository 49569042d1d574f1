"""What one training job is: its name, and all that a trainer has to be told, in no service's words."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from vigil.inference.card import TomlReader, load_toml

PROGRESS_METRICS: Mapping[str, str] = {
    "train:loss": r"\btrain_loss=([0-9.eE+-]+)",
    "validation:loss": r"\bvalidation_loss=([0-9.eE+-]+)",
    "validation:score": r"\bvalidation_score=([0-9.eE+-]+)",
    "train:steps_per_s": r"\bsteps_per_s=([0-9.eE+-]+)",
    "train:peak_memory_mb": r"\bpeak_memory_mb=([0-9.eE+-]+)",
}
"""Name of each metric and the regular expression that finds it in a progress line."""


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """What is to be learned from what.

    task      "classifier" or "embedding"
    model     the model to make a release of
    data      id of the data set
    recipe    the recipe's text
    parent    the release to start from or to be better than; None for a first
    image     the container, pinned by digest
    settings  hyperparameters besides these: {"unfreeze": "true"}
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
        """Twelve hex digits: the same lesson, whoever asks for it and when."""
        settings = "\n".join(f"{name}={value}" for name, value in sorted(self.settings.items()))
        text = "\n".join(
            [self.task, self.model, self.dataset_id, self.parent or "", self.image, self.recipe, settings]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class TrainingPaths:
    """Where data lies and results go: URLs of folders."""

    dataset: str
    recipe: str
    output: str
    checkpoints: str


@dataclass(frozen=True, slots=True)
class InstanceType:
    """What a job runs on.

    price_usd_h       on demand, an hour of one instance
    spot_price_usd_h  what spot is expected to cost; what is billed is learned afterwards
    """

    name: str
    count: int
    price_usd_h: float
    spot_price_usd_h: float


@dataclass(frozen=True, slots=True)
class TrainingLimits:
    """How long a job may take: at work, and with waiting for spot capacity."""

    max_run_s: int
    max_wait_s: int
    volume_gb: int


@dataclass(frozen=True, slots=True)
class TrainingJobRequest:
    """One training job, in full. The name is the idempotency key: asking twice makes one job."""

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
    """At most 63 letters, digits and hyphens. A name is spent once its job was created, hence the attempt."""
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
    """Write a lesson out as a job. Attempts share their checkpoints: the next goes on where one broke off."""
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


# MERGED: What a training job is expected to cost, and what it has cost. Prices are data; none is built in.

HOUR_S = 3600
DEFAULT_INSTANCE_TYPES_FILE = Path(__file__).with_name("machines.toml")


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """Dollars before a job: as earlier jobs lead to expect, and at most, on demand until its limit."""

    expected_usd: float
    max_usd: float


@dataclass(frozen=True, slots=True)
class TrainingCost:
    """Dollars after a job.

    saved_usd  what on demand would have cost more
    """

    billed_usd: float
    saved_usd: float


def estimate_cost(
    instance_type: InstanceType, *, spot: bool, expected_s: float, limits: TrainingLimits
) -> CostEstimate:
    """`expected_s` at work, from the last job of the model, or a guess for the first."""
    price = instance_type.spot_price_usd_h if spot else instance_type.price_usd_h
    hours = min(expected_s, limits.max_run_s) / HOUR_S
    max_usd = limits.max_run_s / HOUR_S * instance_type.price_usd_h * instance_type.count
    return CostEstimate(hours * price * instance_type.count, max_usd)


def training_cost(instance_type: InstanceType, *, training_s: float, billable_s: float) -> TrainingCost:
    """From the service's report: spot is billed as fewer seconds than were worked, at the full price."""
    usd_per_s = instance_type.price_usd_h * instance_type.count / HOUR_S
    return TrainingCost(billable_s * usd_per_s, max(training_s - billable_s, 0.0) * usd_per_s)


def parse_instance_types(table: TomlReader) -> tuple[InstanceType, ...]:
    """The machines of a table in its order. Raises BadCard."""
    return tuple(_parse_instance_type(table, name) for name in table.get_keys("machines"))


def default_instance_types() -> tuple[InstanceType, ...]:
    return parse_instance_types(load_toml(DEFAULT_INSTANCE_TYPES_FILE))


def _parse_instance_type(table: TomlReader, name: str) -> InstanceType:
    return InstanceType(
        name=table.get_str(f"machines.{name}.instance"),
        count=table.get_int(f"machines.{name}.count"),
        price_usd_h=table.get_float(f"machines.{name}.price_usd_h"),
        spot_price_usd_h=table.get_float(f"machines.{name}.spot_price_usd_h"),
    )


# MERGED: A training job's states: never a stall, never a second job for the same lesson. / wanted ──
#   accepted ──> running ── completed ──> done / ▲  │                   │  ├── failed ──────> failed / │
#   └── refused ──┐     │  └── stopped ─────> stopped / │                ▼     │ / ├──── due ── waiting <─┤
#   starved (created, and ended for want of capacity) / └────────── lost ──────┘ / A refusal tries the next
#   machine of the list at once; when all have refused, the job waits, longer each / round, and begins again
#   with the first. It gives up only when the deadline has passed. A job that was lost / (its process
#   killed, its machine gone) is wanted again under the next name, and goes on from the checkpoint / that
#   all attempts share: no two of them ever run at a time.

JobState = Literal["requested", "waiting", "running", "done", "failed", "stopped"]
TERMINAL_STATES: frozenset[JobState] = frozenset({"done", "failed", "stopped"})
ShortageReason = Literal["capacity", "quota"]
MAX_INTERRUPTIONS = 2
"""A lesson that was lost more often is itself what kills its process."""


@dataclass(frozen=True, slots=True)
class InstancePool:
    """The machines to try, best first, and how patiently.

    pause     before the second round, doubled each round up to `longest`
    deadline  after which a job that never ran is given up
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
    """One lesson's job.

    attempt  of the name: counts jobs that were created, from 1
    machine  index into the fleet
    round    how often the whole list has refused
    due      when a waiting job is to be tried again
    losses   how often it was lost
    text     why it waits, failed or stopped
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
        """Of the training job that this attempt is."""
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
    """The trainer has made the job, or already had one of this name."""


@dataclass(frozen=True, slots=True)
class JobRefused:
    """No job was made, for want of capacity or quota: the name is unspent."""

    shortage: ShortageReason


@dataclass(frozen=True, slots=True)
class CapacityUnavailable:
    """The job was made and ended before it could begin: the name is spent."""

    shortage: ShortageReason


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The job was at work and was ended from outside: as far as is known, not by what it learned."""

    reason: str


@dataclass(frozen=True, slots=True)
class JobCompleted:
    """The job ended well."""


@dataclass(frozen=True, slots=True)
class JobFailed:
    """The job ended badly, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class JobStopped:
    """A person or a limit ended the job."""

    reason: str


JobEvent = (
    JobAccepted | JobRefused | CapacityUnavailable | Interrupted | JobCompleted | JobFailed | JobStopped
)


def new_job(spec: TrainingSpec, now: datetime) -> TrainingJob:
    return TrainingJob(spec, "requested", now, now)


def apply_event(
    job: TrainingJob, event: JobEvent, *, attempt_name: str, pool: InstancePool, now: datetime
) -> TrainingJob:
    """The job after an event of the training job so named. Told twice or late, it changes nothing."""
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
    """A job that ended without a release, wanted once more under the next name."""
    if job.state in ("failed", "stopped"):
        return TrainingJob(job.spec, "requested", now, now, attempt=job.attempt + 1)
    return job


def resume_if_due(job: TrainingJob, now: datetime) -> TrainingJob:
    """A waiting job whose time has come is wanted again."""
    if job.state == "waiting" and job.next_attempt_at is not None and job.next_attempt_at <= now:
        return replace(job, state="requested", since=now, next_attempt_at=None)
    return job


def _retry_interrupted(job: TrainingJob, reason: str, now: datetime) -> TrainingJob:
    """Under the next name, on the same machine; given up where it is lost again and again."""
    if job.interruptions >= MAX_INTERRUPTIONS:
        return replace(job, state="failed", since=now, detail=f"lost {job.interruptions + 1} times: {reason}")
    interruptions = job.interruptions + 1
    return replace(
        job, state="requested", since=now, attempt=job.attempt + 1, interruptions=interruptions, detail=reason
    )


def _try_next_instance(
    job: TrainingJob, shortage: ShortageReason, pool: InstancePool, now: datetime
) -> TrainingJob:
    """The next machine now, or the first again after a pause."""
    if job.instance_index + 1 < len(pool.instance_types):
        return replace(job, state="requested", since=now, instance_index=job.instance_index + 1)
    if now - job.created_at >= pool.deadline:
        detail = f"no {shortage} on any of {len(pool.instance_types)} machines within {pool.deadline}"
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
