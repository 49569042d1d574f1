"""Models, their releases and their trainings."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from functions.api.schemas.shape import VISIBLE, ModelName, Moment, ReleaseId, Shape, Usd
from vigil.learn import release as lives
from vigil.learn.dispatch import State


class Model(Shape):
    """A deployed model."""

    model: ModelName
    release: Annotated[str, Field(description="That ships with this deployment; empty where none does")]
    suffixes: Annotated[
        tuple[str, ...], Field(description="Of files that it reads", examples=[[".jpg", ".png"]])
    ]
    most_bytes: Annotated[int, Field(description="Of a file that it reads")]


class Models(Shape):
    """All that can be asked for."""

    items: Annotated[tuple[Model, ...], Field(description="In the order of their names")]


class Figure(Shape):
    """A measured figure with its 95 % interval."""

    value: Annotated[float, Field(description="As measured")]
    low: Annotated[float, Field(description="Lower end of the interval")]
    high: Annotated[float, Field(description="Upper end of the interval")]
    items: Annotated[int, Field(description="What it rests on")]


class Step(Shape):
    """One step of a release's life."""

    stage: Annotated[lives.Stage, Field(description="Where it led")]
    step: Annotated[lives.Step, Field(description="What happened")]
    at: Moment
    reasons: Annotated[tuple[str, ...], Field(description="The gates' figures, or who said so and why")] = ()


class Migrated(Shape):
    """How far a release knows everybody who is enrolled: it sees no drop before it does."""

    people: Annotated[int, Field(description="That are enrolled")]
    left: Annotated[int, Field(description="That it has not come to yet")]
    without: Annotated[int, Field(description="That need a new photo: nothing is kept that it can use")]


class Release(Shape):
    """A release on record."""

    release: ReleaseId
    stage: Annotated[lives.Stage, Field(description="Where it is in its life")]
    since: Moment
    measured: Annotated[Figure, Field(description="Accuracy on the reviewed set, when it was registered")]
    gain: Annotated[Figure | None, Field(description="Over the release that was active then")] = None
    history: Annotated[tuple[Step, ...], Field(description="Its steps, the first one first")]
    migrated: Annotated[
        Migrated | None, Field(description="Of a model that people are enrolled for: how many it knows")
    ] = None


class Candidate(Shape):
    """The release that is being tried."""

    release: ReleaseId
    share: Annotated[float, Field(description="Of the drops that it answers for real; 0 in shadow")]
    beside: Annotated[float, Field(description="Of the drops at which it and the active one both look")]


class ModelCard(Model):
    """A model with its card and its releases."""

    card: Annotated[dict[str, Any], Field(description="The model's card.toml")]
    active: Annotated[str, Field(description="The release that answers")]
    candidate: Annotated[Candidate | None, Field(description="What is being tried")] = None
    former: Annotated[str | None, Field(description="Where a roll-back leads")] = None
    releases: Annotated[tuple[Release, ...], Field(description="The newest first")] = ()


class Why(Shape):
    """A decision's reason: it stands in the release's history, beside who decided."""

    why: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=3, max_length=300, pattern=rf"{VISIBLE}[\s\S]+{VISIBLE}"
        ),
        Field(description="For those who read it later"),
    ]


class ModelMoved(Shape):
    """What a decision moved."""

    model: ModelName
    stages: Annotated[dict[str, lives.Stage], Field(description="By release")]


class Order(Shape):
    """What is to be trained, and how."""

    recipe: Annotated[
        str | None, Field(max_length=20_000, description="TOML; without one, the recipe that was given last")
    ] = None


class Ordered(Shape):
    """A training job. Its name follows from data set, recipe, parent and container."""

    job: Annotated[str, Field(description="Its name at SageMaker")]
    state: Annotated[State, Field(description="Where it is")]
    data: Annotated[str, Field(description="Id of the data set")]
    expected_usd: Usd
    most_usd: Usd


class Training(Shape):
    """A training job, and what became of it."""

    job: Annotated[str, Field(description="Its name at SageMaker")]
    state: Annotated[State, Field(description="Where it is")]
    since: Moment
    asked_at: Moment
    data: Annotated[str, Field(description="Id of the data set")]
    parent: ReleaseId | None = None
    attempt: Annotated[int, Field(description="1 is the first")]
    again_at: Annotated[Moment | None, Field(description="When a job that waits is tried again")] = None
    release: ReleaseId | None = None
    why: Annotated[str | None, Field(description="Why it waits, failed, or left no release")] = None
    expected_usd: Usd
    most_usd: Usd
    usd: Annotated[float | None, Field(description="What it has cost, once that is known")] = None
    seconds: Annotated[float | None, Field(description="That it was at work")] = None


class Trainings(Shape):
    """A model's training jobs, the latest first."""

    items: Annotated[tuple[Training, ...], Field(description="The latest first")]
