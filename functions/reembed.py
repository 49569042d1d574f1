"""Schedule → everybody enrolled anew for releases that do not know them; what retired ones left is erased."""

from collections.abc import Callable, Collection
from dataclasses import asdict
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from chalice import Blueprint, Rate

from cloud.dynamodb.maintenance_state import load_reembedding_state, save_reembedding_state
from cloud.dynamodb.state import DynamoStateStore
from cloud.dynamodb.unknown_subjects import DynamoUnknownFaces
from functions.runtime.handler import lambda_handler
from functions.runtime.settings import settings
from functions.runtime.wiring_core import client, now
from functions.runtime.wiring_people import (
    as_face_model,
    load_gallery_set,
    people,
    releases_in_use,
    store,
    templates,
)
from functions.runtime.wiring_reembedding import reembedding_ports
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
    model, store = settings().enrolment_model, DynamoStateStore(client("dynamodb"), settings().records_table)
    before = load_reembedding_state(store, model)
    after = _reembed_releases(before, lambda: event.context.get_remaining_time_in_millis() > TIME_MARGIN_MS)
    progress = {release: asdict(one) for release, one in after.progress.items()}
    if after != before:
        save_reembedding_state(store, model, after)
        _logger().info("reembed", extra={"releases": progress, "retired": dict(after.retired)})
    return {"releases": progress}


def _reembed_releases(previous: ReembeddingState, has_time_left: Callable[[], bool]) -> ReembeddingState:
    spaces: dict[str, str] = {}
    progress: dict[str, ReembeddingProgress] = {}
    used = releases_in_use().release_ids()
    for release in used:
        try:
            spaces[release] = (
                previous.spaces.get(release)
                or as_face_model(releases_in_use().get_model(release)).embedding_space
            )
            progress[release] = _reembed_release(release, spaces[release], previous, has_time_left)
        except VigilError as failure:
            _logger().warning("reembedding-failed", extra={"release": release, "detail": str(failure)})
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
    return reembed(space, reembedding_ports(release, has_time_left), unreembeddable=unreembeddable)


def _remove_retired_spaces(
    used: frozenset[str], previous: ReembeddingState, has_time_left: Callable[[], bool]
) -> dict[str, str]:
    """Galleries out of use go at once, then person by person the vectors: up to whom, by space."""
    gallery_set, retired = load_gallery_set(), dict(previous.retired)
    unused = set(gallery_set.by_space) - used
    if unused:
        try:
            people().replace_gallery(
                base=gallery_set.version, gallery=gallery_set.restricted_to(used), now=now()
            )
        except ConcurrentUpdate:
            return retired
        retired |= dict.fromkeys(sorted(unused), "")
    remaining = {
        space: delete_retired_vectors(space, gallery_set.person_ids(), after, templates(), has_time_left)
        for space, after in retired.items()
    }
    _delete_unused_data({space for space, after in remaining.items() if after is None})
    return {space: after for space, after in remaining.items() if after is not None}


def _delete_unused_data(spaces: Collection[str]) -> None:
    """Where no template is left, the snapshots and strangers' faces that nothing is compared with."""
    if spaces:
        pointer = people().gallery_pointer()
        store().delete_other_snapshots(pointer.version, pointer.snapshot_keys.values())
        rows = DynamoUnknownFaces(client("dynamodb"), settings().records_table)
        rows.remove_spaces(spaces, since=now() - settings().retention)


@cache
def _logger() -> Logger:
    return Logger()
