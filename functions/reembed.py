"""Schedule → everybody enrolled anew for releases that do not know them; what retired ones left is erased."""

from collections.abc import Callable, Collection
from dataclasses import asdict
from typing import Any

from chalice import Blueprint, Rate

from cloud.dynamodb.maintenance_state import load_reembedding_state, save_reembedding_state
from functions.runtime.container import container
from functions.runtime.face_people import as_face_model
from functions.runtime.handler import lambda_handler
from vigil.errors import ConcurrentUpdate, VigilError
from vigil.people.reembedding import (
    ReembeddingProgress,
    ReembeddingState,
    delete_retired_vectors,
    reembed,
)

trigger = Blueprint(__name__)

TIME_MARGIN_MS = 15_000
"""Nobody is begun with so little left to the run: a snapshot has to be stored yet."""


@trigger.schedule(Rate(1, unit=Rate.MINUTES), name="reembed")
@lambda_handler
def on_reembed(event: Any) -> dict[str, Any]:
    """{"releases": {release: {"people", "missing_reference", "remaining"}}}.

    The next run goes on where this one ends.
    """
    model, store = container().settings.enrolment_model, container().state_store
    before = load_reembedding_state(store, model)
    after = _reembed_releases(before, lambda: event.context.get_remaining_time_in_millis() > TIME_MARGIN_MS)
    progress = {release: asdict(one) for release, one in after.progress.items()}
    if after != before:
        save_reembedding_state(store, model, after)
        container().logger.info("reembed", extra={"releases": progress, "retired": dict(after.retired)})
    return {"releases": progress}


def _reembed_releases(previous: ReembeddingState, has_time_left: Callable[[], bool]) -> ReembeddingState:
    spaces: dict[str, str] = {}
    progress: dict[str, ReembeddingProgress] = {}
    used = container().releases_in_use.release_ids()
    for release in used:
        try:
            spaces[release] = (
                previous.spaces.get(release)
                or as_face_model(container().releases_in_use.get_model(release)).embedding_space
            )
            progress[release] = _reembed_release(release, spaces[release], previous, has_time_left)
        except VigilError as failure:
            container().logger.warning(
                "reembedding-failed", extra={"release": release, "detail": str(failure)}
            )
    complete = all(release in progress and progress[release].is_complete for release in used)
    retired = (
        _remove_retired_spaces(frozenset(spaces.values()), previous, has_time_left)
        if complete
        else previous.retired
    )
    return ReembeddingState(spaces, progress, retired)


def _reembed_release(
    release: str, space: str, previous: ReembeddingState, has_time_left: Callable[[], bool]
) -> ReembeddingProgress:
    unreembeddable = previous.progress[release].missing_reference if release in previous.progress else ()
    return reembed(space, container().reembedding(release, has_time_left), unreembeddable=unreembeddable)


def _remove_retired_spaces(
    used: frozenset[str], previous: ReembeddingState, has_time_left: Callable[[], bool]
) -> dict[str, str]:
    """Galleries out of use go at once, then person by person the vectors: up to whom, by space."""
    gallery_set, retired = container().galleries.read(), dict(previous.retired)
    unused = set(gallery_set.by_space) - used
    if unused:
        try:
            container().people.replace_gallery(
                base=gallery_set.version, gallery=gallery_set.restricted_to(used), now=container().clock()
            )
        except ConcurrentUpdate:
            return retired
        retired |= dict.fromkeys(sorted(unused), "")
    remaining = {
        space: delete_retired_vectors(
            space, gallery_set.person_ids(), after, container().templates, has_time_left
        )
        for space, after in retired.items()
    }
    _delete_unused_data({space for space, after in remaining.items() if after is None})
    return {space: after for space, after in remaining.items() if after is not None}


def _delete_unused_data(spaces: Collection[str]) -> None:
    """Where no template is left, the snapshots and strangers' faces that nothing is compared with."""
    if spaces:
        pointer = container().people.gallery_pointer()
        container().store.delete_other_snapshots(pointer.version, pointer.snapshot_keys.values())
        since = container().clock() - container().settings.retention
        container().unknown_faces.remove_spaces(spaces, since=since)
