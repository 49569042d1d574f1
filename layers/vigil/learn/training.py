"""What one training job is: its name, and all that a trainer has to be told, in no service's words."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

METRICS: Mapping[str, str] = {
    "train:loss": r"\btrain_loss=([0-9.eE+-]+)",
    "validation:loss": r"\bvalidation_loss=([0-9.eE+-]+)",
    "validation:score": r"\bvalidation_score=([0-9.eE+-]+)",
    "train:steps_per_s": r"\bsteps_per_s=([0-9.eE+-]+)",
    "train:peak_memory_mb": r"\bpeak_memory_mb=([0-9.eE+-]+)",
}
"""Name of each metric and the regular expression that finds it in a progress line."""


@dataclass(frozen=True, slots=True)
class Lesson:
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
    data: str
    recipe: str
    parent: str | None
    image: str
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Twelve hex digits: the same lesson, whoever asks for it and when."""
        settings = "\n".join(f"{name}={value}" for name, value in sorted(self.settings.items()))
        text = "\n".join(
            [self.task, self.model, self.data, self.parent or "", self.image, self.recipe, settings]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Place:
    """Where data lies and results go: URLs of folders."""

    data: str
    recipe: str
    output: str
    checkpoints: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What a job runs on.

    price_usd_h       on demand, an hour of one instance
    spot_price_usd_h  what spot is expected to cost; what is billed is learned afterwards
    """

    instance: str
    count: int
    price_usd_h: float
    spot_price_usd_h: float


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a job may take: at work, and with waiting for spot capacity."""

    run_s: int
    wait_s: int
    volume_gb: int


@dataclass(frozen=True, slots=True)
class Request:
    """One training job, in full. The name is the idempotency key: asking twice makes one job."""

    name: str
    image: str
    hyperparameters: Mapping[str, str]
    channels: Mapping[str, str]
    output: str
    checkpoints: str
    machine: Machine
    spot: bool
    limits: Limits
    metrics: Mapping[str, str]
    tags: Mapping[str, str]


def job_name(lesson: Lesson, attempt: int) -> str:
    """At most 63 letters, digits and hyphens. A name is spent once its job was created, hence the attempt."""
    return f"vigil-{lesson.model[:38].rstrip('-')}-{lesson.id}-{attempt}"


def request(
    lesson: Lesson, *, attempt: int, place: Place, machine: Machine, spot: bool, limits: Limits
) -> Request:
    """Write a lesson out as a job. Attempts share their checkpoints: the next goes on where one broke off."""
    told = {"task": lesson.task, "model": lesson.model, "data": lesson.data, **lesson.settings}
    if lesson.parent is not None:
        told["parent"] = lesson.parent
    splits = {split: f"{place.data.rstrip('/')}/{split}/" for split in ("train", "validation", "test")}
    return Request(
        name=job_name(lesson, attempt),
        image=lesson.image,
        hyperparameters=told,
        channels={**splits, "recipe": place.recipe},
        output=place.output,
        checkpoints=f"{place.checkpoints.rstrip('/')}/{lesson.id}/",
        machine=machine,
        spot=spot,
        limits=limits,
        metrics=METRICS,
        tags={"vigil:model": lesson.model, "vigil:data": lesson.data, "vigil:lesson": lesson.id},
    )
