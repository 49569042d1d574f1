"""Models, their releases and their trainings."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from functions.api.schemas.fields import (
    VISIBLE_CHARACTER,
    ApiModel,
    ModelName,
    ReleaseId,
    Timestamp,
    Usd,
)
from vigil.releases.lifecycle import ReleaseStage, RolloutStep
from vigil.training.jobs import JobState


class ModelOut(ApiModel):
    """A deployed model."""

    name: ModelName
    release: Annotated[str, Field(description="That ships with this deployment; empty where none does")]
    suffixes: Annotated[
        tuple[str, ...], Field(description="Of files that it reads", examples=[[".jpg", ".png"]])
    ]
    max_bytes: Annotated[int, Field(description="Of a file that it reads")]


class ModelList(ApiModel):
    """All that can be asked for."""

    items: Annotated[tuple[ModelOut, ...], Field(description="In the order of their names")]


class EstimateOut(ApiModel):
    """A measured figure with its 95 % interval."""

    value: Annotated[float, Field(description="As measured")]
    low: Annotated[float, Field(description="Lower end of the interval")]
    high: Annotated[float, Field(description="Upper end of the interval")]
    items: Annotated[int, Field(description="What it rests on")]


class StageTransitionOut(ApiModel):
    """One step of a release's life."""

    stage: Annotated[ReleaseStage, Field(description="Where it led")]
    event: Annotated[RolloutStep, Field(description="What happened")]
    at: Timestamp
    reasons: Annotated[tuple[str, ...], Field(description="The gates' figures, or who said so and why")] = ()


class ReembeddingProgressOut(ApiModel):
    """How far a release knows everybody who is enrolled: it sees no drop before it does."""

    people: Annotated[int, Field(description="That are enrolled")]
    remaining: Annotated[int, Field(description="That it has not come to yet")]
    missing_reference: Annotated[
        int, Field(description="That need a new photo: nothing is kept that it can use")
    ]


class ReleaseOut(ApiModel):
    """A release on record."""

    id: ReleaseId
    stage: Annotated[ReleaseStage, Field(description="Where it is in its life")]
    since: Timestamp
    metric: Annotated[EstimateOut, Field(description="Accuracy on the reviewed set, when it was registered")]
    gain: Annotated[EstimateOut | None, Field(description="Over the release that was active then")] = None
    history: Annotated[tuple[StageTransitionOut, ...], Field(description="Its steps, the first one first")]
    reembedding: Annotated[
        ReembeddingProgressOut | None,
        Field(description="Of a model that people are enrolled for: how many it knows"),
    ] = None


class CandidateOut(ApiModel):
    """The release that is being tried."""

    release: ReleaseId
    canary_share: Annotated[float, Field(description="Of the drops that it answers for real; 0 in shadow")]
    shadow_share: Annotated[float, Field(description="Of the drops at which it and the active one both look")]


class ModelDetails(ModelOut):
    """A model with its card and its releases."""

    card: Annotated[dict[str, Any], Field(description="The model's card.toml")]
    active: Annotated[str, Field(description="The release that answers")]
    candidate: Annotated[CandidateOut | None, Field(description="What is being tried")] = None
    previous: Annotated[str | None, Field(description="Where a roll-back leads")] = None
    releases: Annotated[tuple[ReleaseOut, ...], Field(description="The newest first")] = ()


class Reason(ApiModel):
    """A decision's reason: it stands in the release's history, beside who decided."""

    reason: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True,
            min_length=3,
            max_length=300,
            pattern=rf"{VISIBLE_CHARACTER}[\s\S]+{VISIBLE_CHARACTER}",
        ),
        Field(description="For those who read it later"),
    ]


class StagesChanged(ApiModel):
    """What a decision moved."""

    model: ModelName
    stages: Annotated[dict[str, ReleaseStage], Field(description="By release")]


class TrainingRequest(ApiModel):
    """What is to be trained, and how."""

    recipe: Annotated[
        str | None, Field(max_length=20_000, description="TOML; without one, the recipe that was given last")
    ] = None


class TrainingAccepted(ApiModel):
    """A training job. Its name follows from data set, recipe, parent and container."""

    job: Annotated[str, Field(description="Its name at SageMaker")]
    state: Annotated[JobState, Field(description="Where it is")]
    data: Annotated[str, Field(description="Id of the data set")]
    expected_usd: Usd
    max_usd: Usd


class TrainingOut(ApiModel):
    """A training job, and what became of it."""

    job: Annotated[str, Field(description="Its name at SageMaker")]
    state: Annotated[JobState, Field(description="Where it is")]
    since: Timestamp
    created_at: Timestamp
    data: Annotated[str, Field(description="Id of the data set")]
    parent: ReleaseId | None = None
    attempt: Annotated[int, Field(description="1 is the first")]
    next_attempt_at: Annotated[
        Timestamp | None, Field(description="When a job that waits is tried again")
    ] = None
    release: ReleaseId | None = None
    reason: Annotated[str | None, Field(description="Why it waits, failed, or left no release")] = None
    expected_usd: Usd
    max_usd: Usd
    usd: Annotated[float | None, Field(description="What it has cost, once that is known")] = None
    seconds: Annotated[float | None, Field(description="That it was at work")] = None


class TrainingList(ApiModel):
    """A model's training jobs, the latest first."""

    items: Annotated[tuple[TrainingOut, ...], Field(description="The latest first")]
