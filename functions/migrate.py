"""Schedule → everybody enrolled anew for releases that do not know them; what retired ones left is erased."""

from collections.abc import Callable, Collection
from dataclasses import asdict
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from chalice import Blueprint, Rate

from cloud.state import States
from cloud.states import load_kept, save_kept
from cloud.strangers import DynamoStrangers
from functions.bounded import bounded
from functions.enrolling import ensemble, faces, galleries, people, store, templates
from functions.migrating import migration
from functions.settings import settings
from functions.wiring import client, now
from vigil.errors import VigilError
from vigil.flow.enrol import Overtaken
from vigil.flow.migrate import Kept, Progress, erased, migrate

trigger = Blueprint(__name__)

MARGIN_MS = 15_000
"""Nobody is begun with so little left to the run: a snapshot has to be stored yet."""


@trigger.schedule(Rate(1, unit=Rate.MINUTES), name="migrate")
@bounded
def on_migrate(event: Any) -> dict[str, Any]:
    """{"releases": {release: {"people", "without", "left"}}}; the next run goes on where this one ends."""
    model, here = settings().kept_model, States(client("dynamodb"), settings().records_table)
    before = load_kept(here, model)
    after = _step(before, lambda: event.context.get_remaining_time_in_millis() > MARGIN_MS)
    told = {release: asdict(one) for release, one in after.progress.items()}
    if after != before:
        save_kept(here, model, after)
        _logger().info("migrate", extra={"releases": told, "retired": dict(after.retired)})
    return {"releases": told}


def _step(before: Kept, go_on: Callable[[], bool]) -> Kept:
    spaces: dict[str, str] = {}
    progress: dict[str, Progress] = {}
    used = ensemble().ids()
    for release in used:
        try:
            spaces[release] = before.spaces.get(release) or faces(ensemble().get(release)).embed
            progress[release] = _migrated(release, spaces[release], before, go_on)
        except VigilError as failure:
            _logger().warning("not-migrated", extra={"release": release, "detail": str(failure)})
    whole = all(release in progress and progress[release].ready for release in used)
    retired = _retired(frozenset(spaces.values()), before, go_on) if whole else before.retired
    return Kept(spaces, progress, retired)


def _migrated(release: str, space: str, before: Kept, go_on: Callable[[], bool]) -> Progress:
    hopeless = before.progress[release].without if release in before.progress else ()
    return migrate(space, migration(release, go_on), hopeless=hopeless)


def _retired(used: frozenset[str], before: Kept, go_on: Callable[[], bool]) -> dict[str, str]:
    """Galleries out of use go at once, then person by person the vectors: up to whom, by space."""
    known, retired = galleries(), dict(before.retired)
    gone = set(known.of) - used
    if gone:
        try:
            people().withdraw(base=known.version, gallery=known.only(used), now=now())
        except Overtaken:
            return retired
        retired |= dict.fromkeys(sorted(gone), "")
    ends = {
        space: erased(space, known.everybody(), after, templates(), go_on) for space, after in retired.items()
    }
    _cleared({space for space, after in ends.items() if after is None})
    return {space: after for space, after in ends.items() if after is not None}


def _cleared(spaces: Collection[str]) -> None:
    """Where no template is left, the snapshots and strangers' faces that nothing is compared with."""
    if spaces:
        held = people().in_force()
        store().keep_only(held.version, held.keys.values())
        rows = DynamoStrangers(client("dynamodb"), settings().records_table)
        rows.forget_spaces(spaces, since=now() - settings().retention)


@cache
def _logger() -> Logger:
    return Logger()
