"""An API with one resource of each kind, in place of the client of the command line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from vigil_cli.__main__ import app
from vigil_client import Conflict, NotFound, UnprocessableContent

AT = "2026-01-02T03:04:05+00:00"


DROP = "d" * 32


PERSON = {
    "id": "p-0123456789ab",
    "name": "Ada Lovelace",
    "gallery": "staff",
    "tags": ["watch"],
    "watched": True,
    "training_consent": False,
    "photos": 2,
    "changed_at": AT,
}


SIGHTING = {
    "id": f"{DROP}-0",
    "drop": DROP,
    "source": "door",
    "model": "faces",
    "at": AT,
    "status": "known",
    "label": PERSON["id"],
    "score": 0.71,
    "threshold": 0.43,
}


ACTION = {"action": "redriven", "reason": "fixed", "at": AT}


DROP_RECORD = {
    "id": DROP,
    "state": "done",
    "lane": "live",
    "model": "faces",
    "source": "door",
    "at": AT,
    "attempts": 1,
    "found": 1,
    "times_ms": {"detect": 20.0, "embed": 22.0},
    "first_claimed_at": AT,
    "error": "Transient: read object: SlowDown",
    "sightings": [SIGHTING],
    "actions": [ACTION],
}


ALERT = {
    "id": "a" * 32,
    "rule": "watch-listed",
    "severity": "critical",
    "source": "door",
    "subject": PERSON["id"],
    "subject_name": PERSON["name"],
    "at": AT,
    "drop_count": 3,
    "review": "open",
}


DEAD_LETTER = {
    "id": "8bba0e49-0000",
    "sent_at": AT,
    "redrives": 2,
    "drops": [{"drop": DROP, "stage": "detect", "error": "Transient: read object: SlowDown"}],
}


ESTIMATE = {"value": 0.9, "low": 0.8, "high": 1.0, "items": 30}


RELEASE = {
    "id": "0123456789abcdef0123456789abcdef",
    "stage": "canary",
    "since": AT,
    "metric": ESTIMATE,
    "history": [{"stage": "canary", "event": "pass", "at": AT, "reasons": ["quality: ok", "drift: ok"]}],
}


MODEL = {
    "name": "digits",
    "suffixes": [".jpg", ".png"],
    "release": "bundled-release",
    "active": "bundled-release",
    "candidate": {"release": RELEASE["id"], "canary_share": 0.1, "shadow_share": 0.0},
    "releases": [RELEASE],
}


MODEL_RELEASES = {
    "model": "digits",
    **{name: MODEL[name] for name in ("active", "candidate", "releases")},
}


ALARM = {
    "name": "degraded",
    "state": "ALARM",
    "since": AT,
    "description": "Live has every worker",
    "runbook": "docs/operations.md#degraded",
}


FAULT = {
    "id": "5d0c41f2a9be7713",
    "kind": "KeyError",
    "stage": "detect",
    "dependency": "model",
    "phase": "waiting",
    "since": AT,
}


AUDIT_ENTRY = {
    "chain": "chain-3",
    "number": 1,
    "at": AT,
    "caller": "local-admin",
    "role": "admin",
    "operation": "get-person",
    "resource_ids": {"person": PERSON["id"]},
}


TRAINING = {"job": "digits-1", "state": "done", "expected_usd": 0.5, "max_usd": 1.0, "usd": 0.25}


class FakeApi:
    """A client that returns fixed objects and records the calls that change something."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.more_alerts: list[dict[str, Any]] = []
        self.more_sightings: list[dict[str, Any]] = []
        self.more_people: list[dict[str, Any]] = []
        self.closed: set[str] = set()
        self.audit: dict[str, Any] = {"valid": True, "chains": 8, "entries": 20, "breaks": []}

    def upload_photo(self, photo: Path, **_: Any) -> str:
        if photo.suffix == ".txt":
            raise UnprocessableContent({"status": 422, "reason": "wrong-type", "detail": "there are: .jpg"})
        return "upload-id"

    def get_upload(self, upload: str, *, wait_s: int) -> dict[str, Any]:
        return {"id": upload, "drop": DROP, "state": "done"}

    def get_drop(self, drop: str, *, wait_s: int = 0) -> dict[str, Any]:
        return DROP_RECORD

    def list_drops(self, id_prefix: str = "", **_: Any) -> Iterator[dict[str, Any]]:
        return iter([one for one in [DROP_RECORD] if str(one["id"]).startswith(id_prefix)])

    def list_sightings(self, **filters: Any) -> Iterator[dict[str, Any]]:
        self.filters = {name: value for name, value in filters.items() if value is not None}
        return iter([SIGHTING, *self.more_sightings])

    def list_alerts(self, id_prefix: str = "", **filters: Any) -> Iterator[dict[str, Any]]:
        self.filters = {name: value for name, value in filters.items() if value is not None}
        rows = [*self.more_alerts, ALERT]
        return iter([one for one in rows if str(one["id"]).startswith(id_prefix)])

    def review_alert(self, alert: str, decision: str) -> dict[str, Any]:
        if alert in self.closed:
            raise Conflict({"status": 409, "detail": "the alert is closed"})
        self.calls.append(("review", alert, decision))
        return {"alert": alert, "review": "dismissed", "review_count": 1, "required_reviewers": 1}

    def label_drop(self, drop: str, label: str) -> dict[str, Any]:
        return {"drop": drop, "label": label}

    def get_thumbnail(self, link: str) -> bytes:
        return link.encode()

    def unwatch_person(self, person: str) -> None:
        self.calls.append(("unwatch", person))

    def end_person_review(self, person: str) -> None:
        self.calls.append(("end-review", person))

    def get_person(self, person: str) -> dict[str, Any]:
        if person != PERSON["id"]:
            raise NotFound({"status": 404, "title": "Not found", "remedy": "Check the id."})
        return PERSON

    def list_people(self, **_: Any) -> Iterator[dict[str, Any]]:
        return iter([PERSON, *self.more_people])

    def watch_person(self, person: str) -> None:
        self.calls.append(("watch", person))

    def withdraw_consent(self, person: str) -> None:
        self.calls.append(("withdraw-consent", person))

    def list_dead_letters(self, lane: str, *, limit: int) -> list[dict[str, Any]]:
        return [DEAD_LETTER] if lane == "bulk" else []

    def redrive_dead_letters(self, lane: str, ids: list[str], *, reason: str) -> int:
        self.calls.append(("redrive", lane, ids, reason))
        return 1

    def get_dead_letter(self, lane: str, message_id: str) -> dict[str, Any]:
        return {**DEAD_LETTER, "body": "{}"}

    def list_releases(self) -> list[dict[str, Any]]:
        return [MODEL_RELEASES]

    def list_all_trainings(self) -> list[dict[str, Any]]:
        return [TRAINING]

    def list_alarms(self) -> list[dict[str, Any]]:
        return [ALARM]

    def list_audit_entries(self) -> Iterator[dict[str, Any]]:
        return iter([AUDIT_ENTRY])

    def get_triage(self) -> dict[str, Any]:
        return {"faults": [FAULT]}

    def verify_audit_log(self) -> dict[str, Any]:
        return self.audit

    def get_model(self, model: str) -> dict[str, Any]:
        return MODEL

    def list_trainings(self, model: str) -> list[dict[str, Any]]:
        return [TRAINING]


def run(command: str, *arguments: object) -> Result:
    return CliRunner().invoke(app, [*command.split(), *map(str, arguments)])
