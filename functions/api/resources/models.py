"""Models, their releases, and decisions about releases."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cloud.dynamodb.state import reembedding_state_name
from functions.api.operation import Call, operation
from functions.api.problems import Conflict, NotFound
from functions.api.schemas.models import (
    CandidateOut,
    EstimateOut,
    ModelDetails,
    ModelList,
    ModelOut,
    ModelReleasesOut,
    Reason,
    ReembeddingProgressOut,
    ReleaseList,
    ReleaseOut,
    StagesChanged,
    StageTransitionOut,
)
from functions.runtime.container import container
from vigil.errors import ConcurrentUpdate
from vigil.releases import rollout
from vigil.releases.lifecycle import IllegalTransition, ReleaseState
from vigil.releases.rollout import ModelReleases, ReleaseRecord, roll_back_release

release_decision = partial(
    operation,
    role="admin",
    bound_tokens="refused",
    audited=True,
    example={"reason": "misreads 9 as 4 since the camera was replaced"},
)


@operation("GET", "/v1/models", role="viewer", bound_tokens="allowed")
def list_models(_: Call) -> ModelList:
    """List the deployed models."""
    return ModelList(items=tuple(map(ModelOut.model_validate, container().model_cards.values())))


@operation("GET", "/v1/models/{model}", role="viewer", bound_tokens="allowed")
def get_model(call: Call) -> ModelDetails:
    """Get a model with its card and releases.

    Releases are listed newest first.
    """
    name = call.path["model"]
    card, model_releases = container().model_cards.get(name), _model_releases(name)
    model = ModelOut(name=name, release="", suffixes=(), max_bytes=0)
    if card is not None:
        model = ModelOut.model_validate(card)
    (in_use,) = _list_releases([model_releases])
    contents = dict(card.card) if card else {}
    return ModelDetails(**model.model_dump(), **in_use.model_dump(exclude={"model"}), card=contents)


@operation("GET", "/v1/releases", role="viewer", bound_tokens="allowed")
def list_releases(_: Call) -> ReleaseList:
    """List the releases of all models.

    Models that are deployed but have no registered release are listed without releases.
    """
    names = sorted({*container().model_cards, *container().releases.models()})
    releases = container().executor.map(container().releases.read_releases, names)
    return ReleaseList(items=tuple(_list_releases(list(releases))))


@release_decision("POST", "/v1/models/{model}/rollback")
def roll_back_model(call: Call, reason: Reason) -> StagesChanged:
    """Roll a model back to its previous release.

    A candidate that was compared with the withdrawn release is withdrawn too.
    """
    return _change_stage(call, reason, roll_back_release)


@release_decision("POST", "/v1/models/{model}/releases/{release}/promote")
def promote_release(call: Call, reason: Reason) -> StagesChanged:
    """Promote a candidate release.

    The release becomes active immediately, whatever the gates decide.
    """
    return _change_stage(call, reason, partial(rollout.promote_release, release=call.path["release"]))


@release_decision("POST", "/v1/models/{model}/releases/{release}/reject")
def reject_release(call: Call, reason: Reason) -> StagesChanged:
    """Reject a release.

    The release must be registered, in shadow or in canary; it goes no further.
    """
    return _change_stage(call, reason, partial(rollout.reject_release, release=call.path["release"]))


def _change_stage(
    call: Call, reason: Reason, transition: Callable[..., tuple[ReleaseState, ...]]
) -> StagesChanged:
    """Change the stage of releases; the caller and the reason are stored in their history."""
    model, reason_text = call.path["model"], f"by {call.caller.id}: {reason.reason}"
    model_releases, release = _model_releases(model), call.path.get("release")
    if release is not None and model_releases.find(release) is None:
        raise NotFound(f"{model} has no release {release}")
    try:
        changed = transition(
            model, repository=container().releases, now=datetime.now(UTC), reason=reason_text
        )
    except (IllegalTransition, ConcurrentUpdate) as error:
        raise Conflict(str(error)) from error
    if not changed:
        raise Conflict(f"{model} has no previous release")
    return StagesChanged(model=model, stages={state.release: state.stage for state in changed})


def _model_releases(model: str) -> ModelReleases:
    """The releases of a model that is deployed or has releases. Raises NotFound."""
    model_releases = container().releases.read_releases(model)
    if model not in container().model_cards and not model_releases.records:
        raise NotFound(f"unknown model; use {', '.join(container().model_cards)}")
    return model_releases


def _list_releases(models: Sequence[ModelReleases]) -> list[ModelReleasesOut]:
    states = container().state_store.get_many(*(reembedding_state_name(one.model) for one in models))
    listed = []
    for one in models:
        card = container().model_cards.get(one.model)
        progress = states.get(reembedding_state_name(one.model), {}).get("progress", {})
        newest_first = sorted(one.records, key=lambda record: _registered_at(record.state), reverse=True)
        listed.append(
            ModelReleasesOut(
                model=one.model,
                active=one.pointers.active or (card.release if card else ""),
                candidate=_to_candidate(one),
                previous=one.pointers.previous,
                releases=tuple(_to_release(item, progress.get(item.state.release)) for item in newest_first),
            )
        )
    return listed


def _to_candidate(model_releases: ModelReleases) -> CandidateOut | None:
    pointers = model_releases.pointers
    if pointers.candidate is None:
        return None
    return CandidateOut(
        release=pointers.candidate, canary_share=pointers.canary_share, shadow_share=pointers.shadow_share
    )


def _to_reembedding_progress(progress: dict[str, Any]) -> ReembeddingProgressOut:
    return ReembeddingProgressOut(
        people=progress["people"],
        remaining=progress["remaining"],
        missing_reference=progress["missing_reference"],
    )


def _to_release(record: ReleaseRecord, progress: dict[str, Any] | None) -> ReleaseOut:
    state = record.state
    return ReleaseOut(
        id=state.release,
        stage=state.stage,
        since=state.since,
        metric=EstimateOut.model_validate(record.metric),
        gain=EstimateOut.model_validate(record.gain) if record.gain else None,
        history=tuple(
            StageTransitionOut(stage=move.stage, event=move.step, at=move.at, reasons=move.reasons)
            for move in state.history
        ),
        reembedding=_to_reembedding_progress(progress) if progress else None,
    )


def _registered_at(state: ReleaseState) -> datetime:
    return state.history[0].at if state.history else state.since
