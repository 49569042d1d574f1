"""Models of machine learning models, releases and training jobs."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from functions.api.schemas.fields import VISIBLE_CHARACTER, ApiModel, ModelName, ReleaseId, Timestamp, Usd
from vigil.releases.lifecycle import ReleaseStage, RolloutStep
from vigil.training.jobs import JobState


class ModelOut(ApiModel):
    """A deployed model."""

    name: ModelName
    release: Annotated[str, Field(description="Id of the bundled release; empty if there is none")]
    suffixes: Annotated[
        tuple[str, ...],
        Field(
            description="Usual suffixes of accepted files; the content decides", examples=[[".jpg", ".png"]]
        ),
    ]
    max_bytes: Annotated[int, Field(description="Maximum size of an accepted file in bytes")]


class ModelList(ApiModel):
    """The deployed models."""

    items: Annotated[tuple[ModelOut, ...], Field(description="Models in the order of their names")]


class EstimateOut(ApiModel):
    """A measured value with its 95 % confidence interval."""

    value: Annotated[float, Field(description="Measured value")]
    low: Annotated[float, Field(description="Lower end of the interval")]
    high: Annotated[float, Field(description="Upper end of the interval")]
    items: Annotated[int, Field(description="Number of measured items")]


class StageTransitionOut(ApiModel):
    """One stage transition of a release."""

    stage: Annotated[ReleaseStage, Field(description="Stage after the transition")]
    event: Annotated[RolloutStep, Field(description="Event that caused the transition")]
    at: Timestamp
    reasons: Annotated[
        tuple[str, ...], Field(description="Results of the gates, or who decided and why")
    ] = ()


class ReembeddingProgressOut(ApiModel):
    """Progress of a release's templates; the release processes no drop until all people have one."""

    people: Annotated[int, Field(description="Number of enrolled people")]
    remaining: Annotated[int, Field(description="Number of people without a template of this release")]
    missing_reference: Annotated[
        int,
        Field(
            description="Number of people without a stored reference image that this release can use;"
            " they must be enrolled again"
        ),
    ]


class ReleaseOut(ApiModel):
    """A registered release."""

    id: ReleaseId
    stage: Annotated[ReleaseStage, Field(description="Current stage")]
    since: Timestamp
    metric: Annotated[EstimateOut, Field(description="Accuracy on the test set at registration")]
    gain: Annotated[
        EstimateOut | None, Field(description="Difference to the release that was active at registration")
    ] = None
    history: Annotated[tuple[StageTransitionOut, ...], Field(description="Transitions, oldest first")]
    reembedding: Annotated[
        ReembeddingProgressOut | None, Field(description="Progress of computing templates for this release")
    ] = None


class CandidateOut(ApiModel):
    """The candidate release."""

    release: ReleaseId
    canary_share: Annotated[float, Field(description="Share of drops that it answers; 0 in shadow")]
    shadow_share: Annotated[
        float, Field(description="Share of drops that both it and the active release process")
    ]


class ReleasePointersOut(ApiModel):
    """The active, candidate and previous release of a model, and all its releases."""

    active: Annotated[str, Field(description="Id of the active release")]
    candidate: Annotated[CandidateOut | None, Field(description="Candidate release")] = None
    previous: Annotated[str | None, Field(description="Release that a rollback activates")] = None
    releases: Annotated[tuple[ReleaseOut, ...], Field(description="Releases, newest first")]


class ModelReleasesOut(ReleasePointersOut):
    """A model's releases and which of them are in use."""

    model: ModelName


class ReleaseList(ApiModel):
    """The releases of all models."""

    items: Annotated[tuple[ModelReleasesOut, ...], Field(description="Models in the order of their names")]


class ModelDetails(ModelOut, ReleasePointersOut):
    """A model with its card and its releases."""

    card: Annotated[dict[str, Any], Field(description="Contents of card.toml")]


class Reason(ApiModel):
    """The reason of a decision; it is stored in the history of the release."""

    reason: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True,
            min_length=3,
            max_length=300,
            pattern=rf"{VISIBLE_CHARACTER}[\s\S]+{VISIBLE_CHARACTER}",
        ),
        Field(description="Why the decision was made"),
    ]


class StagesChanged(ApiModel):
    """The releases whose stage a decision changed."""

    model: ModelName
    stages: Annotated[dict[str, ReleaseStage], Field(description="New stage by release")]


class TrainingRequest(ApiModel):
    """A training job to start."""

    recipe: Annotated[
        str | None, Field(max_length=20_000, description="Recipe in TOML; the most recent recipe if absent")
    ] = None


class TrainingAccepted(ApiModel):
    """A training job; its name follows from dataset, recipe, parent release and container."""

    job: Annotated[str, Field(description="Name of the SageMaker job")]
    state: Annotated[JobState, Field(description="State of the job")]
    data: Annotated[str, Field(description="Id of the dataset")]
    expected_usd: Usd
    max_usd: Usd


class TrainingOut(TrainingAccepted):
    """A training job with its result."""

    model: ModelName
    since: Timestamp
    created_at: Timestamp
    parent: ReleaseId | None = None
    attempt: Annotated[int, Field(description="Number of the attempt, from 1")]
    next_attempt_at: Annotated[
        Timestamp | None, Field(description="Time of the next attempt, if the job waits")
    ] = None
    release: ReleaseId | None = None
    reason: Annotated[str | None, Field(description="Why the job waits, failed or produced no release")] = (
        None
    )
    usd: Annotated[float | None, Field(description="Actual cost in US dollars, once it is known")] = None
    seconds: Annotated[float | None, Field(description="Billed run time in seconds")] = None


class TrainingList(ApiModel):
    """Training jobs of a model."""

    items: Annotated[tuple[TrainingOut, ...], Field(description="Training jobs, newest first")]
