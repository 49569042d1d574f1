"""What triage, balance and reconcile remember, as plain rows and back."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from cloud.dynamodb.attributes import Item, from_item, to_item
from cloud.dynamodb.queries import batch_get
from cloud.dynamodb.state import DynamoStateStore, reembedding_state_name
from cloud.errors import translate_errors
from vigil.errors import Transient
from vigil.people.reembedding import ReembeddingProgress, ReembeddingState
from vigil.reliability.capacity import WorkerAllocation
from vigil.reliability.circuit_breaker import CircuitBreaker
from vigil.reliability.controller import ControllerState
from vigil.reliability.dead_letters import FaultCase, Fingerprint
from vigil.reliability.degradation import DegradationLevel
from vigil.reliability.reconcile import Completeness, Reannouncement, ReconcileProgress


class DynamoFaultCases:
    """Port Cases."""

    def __init__(self, states: DynamoStateStore) -> None:
        self._states = states

    def load_cases(self) -> Mapping[str, FaultCase]:
        stored = self._states.get("triage") or {}
        return {ident: _fault_case_from_row(row) for ident, row in stored.get("cases", {}).items()}

    def save_cases(self, cases: Mapping[str, FaultCase]) -> None:
        self._states.put(
            "triage", {"cases": {ident: _times_to_text(asdict(case)) for ident, case in cases.items()}}
        )


def load_controller_state(
    states: DynamoStateStore, create_initial: Callable[[], ControllerState]
) -> ControllerState:
    """The balance function's memory."""
    row = states.get("controller")
    if row is None:
        return create_initial()
    breakers = {
        (one["lane"], one["dependency"]): CircuitBreaker(
            one["state"], _parse_time(one["since"]), one["openings"]
        )
        for one in row["breakers"]
    }
    degradation = DegradationLevel(row["degradation"]["level"], _parse_time(row["degradation"]["since"]))
    return ControllerState(
        _parse_time(row["at"]), WorkerAllocation(**row["allocation"]), degradation, breakers, row["backlogs"]
    )


def save_controller_state(states: DynamoStateStore, state: ControllerState) -> None:
    breakers = [
        _times_to_text({"lane": lane, "dependency": name, **asdict(one)})
        for (lane, name), one in state.breakers.items()
    ]
    row = {
        "at": state.at,
        "allocation": asdict(state.allocation),
        "degradation": _times_to_text(asdict(state.degradation)),
    }
    states.put("controller", _times_to_text(row) | {"breakers": breakers, "backlogs": dict(state.backlogs)})


def load_reconcile_progress(states: DynamoStateStore) -> ReconcileProgress:
    """The reconcile function's memory."""
    row = states.get("reconcile")
    if row is None:
        return ReconcileProgress()
    completed = Completeness(**row["last_complete"]) if row["last_complete"] else None
    return ReconcileProgress(
        row["cursor"],
        Completeness(**row["partial"]),
        completed,
        row["reannounced"],
        row.get("snapshot_id", ""),
    )


def save_reconcile_progress(states: DynamoStateStore, progress: ReconcileProgress) -> None:
    states.put("reconcile", asdict(progress))


def load_reembedding_state(states: DynamoStateStore, model: str) -> ReembeddingState:
    """What the migrate function remembers of a model."""
    row = states.get(reembedding_state_name(model)) or {"spaces": {}, "progress": {}, "retired": {}}
    progress = {
        release: ReembeddingProgress(one["people"], tuple(one["missing_reference"]), one["remaining"])
        for release, one in row["progress"].items()
    }
    return ReembeddingState(row["spaces"], progress, row["retired"])


def save_reembedding_state(states: DynamoStateStore, model: str, state: ReembeddingState) -> None:
    states.put(reembedding_state_name(model), asdict(state))


def _fault_case_from_row(row: Mapping[str, Any]) -> FaultCase:
    fingerprint, first_failed_at, since = (
        Fingerprint(**row["fingerprint"]),
        _parse_time(row["first_failed_at"]),
        _parse_time(row["since"]),
    )
    return FaultCase(
        fingerprint, first_failed_at, since, row["phase"], row["canary_drop_id"], row["failures"]
    )


def _times_to_text(row: Mapping[str, Any]) -> dict[str, Any]:
    """Times as text."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


def _parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


# MERGED: Port Announcements, in the records table: what reconcile has announced again, and how often.

_BATCH_WRITE_MAX_ITEMS = 25
"""Rows that DynamoDB writes in one call."""

_REANNOUNCEMENT_TTL = timedelta(days=14)
"""As long as a message can wait."""


class DynamoReannouncements:
    """Rows: drop#<id> announced, beside the drop's record if it has one by now."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def find_reannouncements(self, drops: Collection[str]) -> Mapping[str, Reannouncement]:
        keys = [_reannouncement_key(drop) for drop in sorted(drops)]
        rows = map(
            from_item,
            batch_get(
                self._client, self._table, keys, dependency="records", operation="read reannouncements"
            ),
        )
        return {
            row["drop_id"]: Reannouncement(datetime.fromisoformat(row["at"]), row["times"]) for row in rows
        }

    def save_reannouncements(self, reannouncements: Mapping[str, Reannouncement]) -> None:
        rows = [
            {"PutRequest": {"Item": _reannouncement_row(drop, reannouncement)}}
            for drop, reannouncement in reannouncements.items()
        ]
        for start in range(0, len(rows), _BATCH_WRITE_MAX_ITEMS):
            self._write_batch({self._table: rows[start : start + _BATCH_WRITE_MAX_ITEMS]})

    def _write_batch(self, request_items: Item) -> None:
        for _ in range(8):
            with translate_errors("records", "save reannouncements"):
                request_items = (
                    self._client.batch_write_item(RequestItems=request_items).get("UnprocessedItems") or {}
                )
            if not request_items:
                return
        raise Transient(
            "some rows were not processed", dependency="records", operation="save reannouncements"
        )


def _reannouncement_key(drop: str) -> Item:
    return to_item({"pk": f"drop#{drop}", "sk": "reannouncement"})


def _reannouncement_row(drop: str, reannouncement: Reannouncement) -> Item:
    expires = int((reannouncement.announced_at + _REANNOUNCEMENT_TTL).timestamp())
    return _reannouncement_key(drop) | to_item(
        {
            "drop_id": drop,
            "at": reannouncement.announced_at.isoformat(),
            "times": reannouncement.announcements,
            "expires": expires,
        }
    )
