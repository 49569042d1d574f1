"""Each command prints a table for people, and with --json exactly the API's objects, one a line."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from vigil_cli.__main__ import app
from vigil_cli.console import format_time
from vigil_cli.session import Session
from vigil_client import Conflict, NotFound, Problem, UnprocessableContent

AT = "2026-01-02T03:04:05+00:00"
DROP = "d" * 32
PERSON = {
    "id": "p-0123456789ab",
    "name": "Ada Lovelace",
    "gallery": "staff",
    "tags": ["watch"],
    "watched": True,
    "training_consent": False,
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
    "id": "0123456789abcdef",
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


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    fake, original = FakeApi(), Session.api

    @contextmanager
    def connect(session: Session, role: Any) -> Iterator[Any]:
        with original(session, role):
            yield fake

    monkeypatch.setattr(Session, "_local_access", lambda *_: ("http://127.0.0.1:9", "token"))
    monkeypatch.setattr(Session, "api", connect)
    return fake


def run(command: str, *arguments: object) -> Result:
    return CliRunner().invoke(app, [*command.split(), *map(str, arguments)])


LISTS = {
    "sightings": (SIGHTING, "Ada Lovelace"),
    "alerts": (ALERT, "Ada Lovelace"),
    "drops list": (DROP_RECORD, "door"),
    "drops quarantined": (DROP_RECORD, "door"),
    "people list": (PERSON, "Ada Lovelace"),
    "people show p-0123456789ab": (PERSON, "Ada Lovelace"),
    "models list": (MODEL_RELEASES, "canary 10%"),
    "models show digits": ({**MODEL, "trainings": [TRAINING]}, "drift: ok"),
    "ops dlq list": ({"lane": "bulk", **DEAD_LETTER}, "SlowDown"),
    "ops dlq show 8bba": ({"lane": "bulk", **DEAD_LETTER, "body": "{}"}, '"redrives": 2'),
    "ops alarms": (ALARM, "degraded"),
    "ops alarms degraded": (ALARM, "Meaning"),
    "ops audit show": (AUDIT_ENTRY, "get-person"),
    "ops audit verify": ({"valid": True, "chains": 8, "entries": 20, "breaks": []}, "20 entries"),
    "drops show dddd": (DROP_RECORD, "SlowDown"),
    "drops notes live/faces/door/a.jpg": ({"drop": DROP, **ACTION}, "fixed"),
}


@pytest.mark.parametrize("command", LISTS)
def test_json_output_is_the_object_of_the_api_and_nothing_else(api: FakeApi, command: str):
    result = run(command, "--json")

    assert result.exit_code == 0, result.output
    assert [json.loads(line) for line in result.stdout.splitlines()] == [LISTS[command][0]]


@pytest.mark.parametrize("command", LISTS)
def test_a_table_shows_names_instead_of_ids_and_fits_120_columns(api: FakeApi, command: str):
    result = run(command)

    assert result.exit_code == 0, result.output
    assert LISTS[command][1] in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 120


def test_an_uploaded_photo_is_shown_with_the_people_in_it(api: FakeApi, tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(b"")

    result = run("drop", tmp_path / "a.jpg")

    assert result.exit_code == 0, result.output
    assert all(text in result.stdout for text in ("a.jpg", "done", "Ada Lovelace", "0.71", "42"))


def test_a_refused_file_does_not_stop_the_others_and_sets_the_exit_code(api: FakeApi, tmp_path: Path):
    files = [tmp_path / "a.txt", tmp_path / "b.jpg"]
    for file in files:
        file.write_bytes(b"")

    result = run("drop", *files, "--json")

    refused, done = (json.loads(line) for line in result.stdout.splitlines())
    assert result.exit_code == 1
    assert (refused["state"], refused["reason"]) == ("refused", "wrong-type")
    assert done == {"file": str(files[1]), **DROP_RECORD}


def test_an_uploaded_photo_has_a_drop_id_without_waiting(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "a.jpg").write_bytes(b"")
    monkeypatch.setattr(FakeApi, "get_upload", lambda _, upload, **__: {"id": upload, "drop": DROP})

    result = run("drop", tmp_path / "a.jpg", "--wait", "0", "--json")

    expected = {"file": str(tmp_path / "a.jpg"), "state": "uploaded", "id": DROP}
    assert (result.exit_code, json.loads(result.stdout)) == (0, expected)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_new_person_whose_photos_are_all_refused_is_erased(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_new: bool
):
    def create_person(_api: FakeApi, name: str, gallery: str) -> str:
        if is_new:
            return "p-new"
        raise Conflict({"status": 409})

    def enrol_photo(_api: FakeApi, person: str, photo: Path) -> None:
        raise UnprocessableContent({"status": 422, "reason": "no-face", "detail": "no face"})

    (tmp_path / "a.jpg").write_bytes(b"")
    monkeypatch.setattr(FakeApi, "create_person", create_person, raising=False)
    monkeypatch.setattr(FakeApi, "enrol_photo", enrol_photo, raising=False)
    monkeypatch.setattr(
        FakeApi, "erase_person", lambda _, one: api.calls.append(("erase", one)), raising=False
    )

    result = CliRunner().invoke(app, ["enrol", str(PERSON["name"]), str(tmp_path / "a.jpg")])

    assert result.exit_code == 1
    assert "no-face" in result.stderr
    assert api.calls == ([("erase", "p-new")] if is_new else [])


def test_tags_are_changed_only_where_an_option_is_given(api: FakeApi):
    run("people tags p-0123456789ab")
    run("people tags p-0123456789ab --watch --no-consent")

    assert api.calls == [("watch", PERSON["id"]), ("withdraw-consent", PERSON["id"])]


def test_a_dead_letter_is_redriven_by_the_first_characters_of_its_id(api: FakeApi):
    result = run("ops dlq redrive 8bba --json --reason fixed")

    assert json.loads(result.stdout) == {"action": "redrive", "processed": 1}
    assert api.calls == [("redrive", "bulk", [DEAD_LETTER["id"]], "fixed")]


def test_a_problem_of_the_api_is_printed_with_its_remedy(api: FakeApi):
    result = run("people show p-000000000000")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "Not found" in result.stderr
    assert "Check the id." in result.stderr


def test_an_api_that_does_not_answer_is_reported_with_the_page_that_helps(
    monkeypatch: pytest.MonkeyPatch,
):
    from vigil_client import Vigil

    monkeypatch.setattr(Session, "_local_access", lambda *_: ("http://127.0.0.1:9", "token"))
    monkeypatch.setattr(Vigil.__init__, "__kwdefaults__", {"timeout_s": 1.0, "retries": 0})

    result = run("people list")

    assert result.exit_code == 2
    assert "docs/operations.md" in result.stderr


def test_a_changed_audit_log_sets_the_exit_code_and_names_the_entry(api: FakeApi):
    broken = {"chain": "chain-1", "number": 7, "reason": "its hash is wrong"}
    api.audit |= {"valid": False, "breaks": [broken]}

    result = run("ops audit verify")

    assert result.exit_code == 1
    assert "chain-1, entry 7: its hash is wrong" in result.stderr


def system_status(ratio: dict[str, float], **lane: Any) -> Any:
    slo = {"name": "availability", "description": "", "target": 0.99, "good_ratio": ratio, "burn_rate": {}}
    bulk = {"lane": "bulk", "visible_messages": 0, "dead_letters": 0, "running": True, "paused": False}
    bulk |= {"in_flight_messages": 0, "oldest_message_age_s": 0.0, "calls": 0, "failures": {}}
    unpublished = {"batches": 0, "oldest_age_s": 0.0}
    return {"lanes": [bulk | lane], "unpublished": unpublished, "degradation_level": 0, "slos": [slo]}


@pytest.mark.parametrize(
    ("current", "healthy"),
    [
        (system_status({}), True),
        (system_status({"1h": 0.999}), True),
        (system_status({"1h": 0.0}), False),
        (system_status({}, dead_letters=1), False),
        (system_status({}, paused=True), False),
        (system_status({}, breakers=[{"dependency": "photos", "state": "open", "since": AT}]), False),
        (system_status({}, breakers=[{"dependency": "photos", "state": "half-open", "since": AT}]), True),
    ],
)
def test_status_needs_attention_for_a_missed_objective_and_for_a_lane_that_does_not_run(
    api: FakeApi, current: Any, healthy: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(FakeApi, "get_status", lambda _: current, raising=False)
    monkeypatch.setattr(FakeApi, "list_alarms", lambda _: [{**ALARM, "state": "OK"}])

    result = run("status")

    assert result.exit_code == int(not healthy), result.output
    assert ("all is well" if healthy else "needs attention") in result.stdout
    assert "KeyError" in result.stdout


REPORT = {"messages": 3, "redriven": 1, "waiting": 2, "republished": 0, "unpublished": 0} | {
    "reasons": {"redriven: fault 5d0c: canary": 1, "waiting: others like it go first": 2}
}


def runs_of(*states: dict[str, Any]) -> Any:
    """A method that returns these states of a run, one a call."""
    remaining = iter(states)
    return lambda _api, _run: {"run": "r", **next(remaining)}


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vigil_cli.commands.maintenance.RUN_POLL_S", 0)


@pytest.mark.usefixtures("no_waits")
def test_triage_waits_for_its_run_and_shows_the_report(api: FakeApi, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(FakeApi, "start_triage", lambda _: "r", raising=False)
    runs: list[dict[str, Any]] = [{"state": "running"}, {"state": "completed", "report": REPORT}] * 2
    monkeypatch.setattr(FakeApi, "get_triage_run", runs_of(*runs), raising=False)

    shown, as_json = run("ops triage"), run("ops triage --json")

    assert "others like it go first" in shown.stdout
    assert json.loads(as_json.stdout) == REPORT


@pytest.mark.usefixtures("no_waits")
def test_reconcile_runs_until_the_whole_bucket_is_compared(api: FakeApi, monkeypatch: pytest.MonkeyPatch):
    counts = {"objects": 5, "completed": 4, "too_recent": 1}
    monkeypatch.setattr(FakeApi, "start_reconcile", lambda _: "r", raising=False)
    first = {"in_progress": True, "reannounced": 2}
    last = {"in_progress": False, "reannounced": 1, "completeness": counts}
    states = [{"state": "completed", "report": first}, {"state": "completed", "report": last}]
    monkeypatch.setattr(FakeApi, "get_reconcile_run", runs_of(*states), raising=False)

    result = run("ops reconcile --json")

    assert (result.exit_code, json.loads(result.stdout)) == (1, {**counts, "announced": 3})


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("task", ["triage", "reconcile"])
def test_a_failed_run_is_an_error_that_names_the_log(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, task: str
):
    monkeypatch.setattr(FakeApi, f"start_{task}", lambda _: "r", raising=False)
    failed = {"state": "failed", "error": "Transient: read records"}
    monkeypatch.setattr(FakeApi, f"get_{task}_run", runs_of(failed), raising=False)

    result = run(f"ops {task}")

    assert result.exit_code == 2
    assert "Transient: read records" in result.stderr
    assert f"./vigil logs {task}" in result.stderr


def test_status_shows_the_messages_failures_and_unpublished_events_of_the_last_minutes(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
):
    numbers = {"in_flight_messages": 4711, "oldest_message_age_s": 93.4, "calls": 812}
    current = system_status({}, **numbers, failures={"objects": 37, "records": 5})
    current["unpublished"] = {"batches": 3, "oldest_age_s": 61.0}
    monkeypatch.setattr(FakeApi, "get_status", lambda _: current, raising=False)

    page, row = run("status").stdout, json.loads(run("status", "--json").stdout)

    assert all(text in page for text in ("4711", "93 s", "812", "42", "3 batches, the oldest 61 s old"))
    assert "objects failed 37 times" in " ".join(page.replace("│", " ").split())
    assert (row["lanes"], row["unpublished"]) == (current["lanes"], current["unpublished"])


def test_a_firing_alarm_needs_attention(api: FakeApi, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(FakeApi, "get_status", lambda _: system_status({}), raising=False)

    result = run("status", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["firing_alarms"] == [ALARM]


@pytest.fixture
def people_folder(tmp_path: Path) -> Path:
    """Two people with three photos, a text, and a hidden file."""
    for name in ("Ada/1.jpg", "Ada/more/2.png", "Ada/notes.txt", "Ben King/1.jpg", "Ben King/.hidden.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_a_folder_is_dropped_with_all_photos_in_it(api: FakeApi, people_folder: Path):
    result = run("drop", people_folder / "Ada", "--json")

    files = [json.loads(line)["file"] for line in result.stdout.splitlines()]
    assert files == [str(people_folder / "Ada" / one) for one in ("1.jpg", "more/2.png")]


def test_a_folder_without_photos_is_refused_with_the_suffixes_of_the_model(api: FakeApi, tmp_path: Path):
    result = run("drop", tmp_path)

    assert result.exit_code == 2
    assert ".jpg, .png" in result.stderr


def test_everybody_in_a_folder_of_people_is_enrolled_at_once(
    api: FakeApi, people_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    def enrol_photo(_: FakeApi, person: str, photo: Path) -> None:
        if photo.parent.name == "Ben King":
            raise UnprocessableContent({"status": 422, "reason": "no-face", "detail": "no face"})

    monkeypatch.setattr(FakeApi, "create_person", lambda _, name, **__: f"p-{name}", raising=False)
    monkeypatch.setattr(FakeApi, "enrol_photo", enrol_photo, raising=False)
    monkeypatch.setattr(
        FakeApi, "erase_person", lambda _, one: api.calls.append(("erase", one)), raising=False
    )

    result = CliRunner().invoke(app, ["people", "import", str(people_folder)])

    assert result.exit_code == 1
    assert [line.split() for line in result.stdout.splitlines()[2:]] == [
        ["Ada", "p-Ada", "2", "0"],
        ["Ben", "King", "0", "1"],
    ]
    assert "1.jpg: no face (no-face)" in result.stderr
    assert api.calls == [("erase", "p-Ben King")]


def make_alert(digit: str, **fields: Any) -> dict[str, Any]:
    return {**ALERT, "id": digit * 32, **fields}


def test_alerts_are_critical_first_counted_and_without_the_canary(api: FakeApi):
    api.more_alerts = [make_alert("b", severity="info"), make_alert("c", source="canary")]

    result = run("alerts -n 1")

    title, _, first = result.stdout.splitlines()
    assert title.strip() == "Alerts: 1 of 2; 1 of the canary are left out (--source canary)"
    assert ("critical" in first, "aaaaaaaaaaaa" in first) == (True, True)


def test_alerts_are_filtered_by_state_severity_source_person_and_time(api: FakeApi):
    options = "--open --severity critical --source door --rule r --until 2026-01-31T18:30+02:00"
    result = run(f"alerts {options} --person", "ada lovelace", "--since", "2026-01-30T00:00+00:00")

    assert result.exit_code == 0, result.output
    assert api.filters == {
        "review": "open",
        "severity": "critical",
        "source": "door",
        "rule": "r",
        "person": PERSON["id"],
        "since": "2026-01-30T00:00:00+00:00",
        "until": datetime.fromisoformat("2026-01-31T16:30+00:00").astimezone().isoformat(),
    }
    assert run("alerts --since yesterday").exit_code == 2


def test_several_alerts_are_reviewed_at_once_by_the_first_digits_of_their_ids(api: FakeApi):
    api.more_alerts, api.closed = [make_alert("b"), make_alert("c")], {"c" * 32}

    result = run("review aaaa bbbb cccc dismiss")

    assert api.calls == [("review", one * 32, "dismiss") for one in "ab"]
    assert "cccccccccccc: the alert is closed" in result.stderr
    assert result.exit_code == 1


def test_all_open_alerts_of_a_filter_are_reviewed_after_a_question(api: FakeApi):
    refused = CliRunner().invoke(app, ["review", "dismiss", "--rule", "watch-listed"], input="n\n")
    accepted = CliRunner().invoke(app, ["review", "dismiss", "--rule", "watch-listed"], input="y\n")

    assert (refused.exit_code, accepted.exit_code) == (1, 0)
    assert "dismiss 1 open alerts?" in refused.stderr
    assert api.calls == [("review", ALERT["id"], "dismiss")]
    assert api.filters == {"review": "open", "rule": "watch-listed", "since": api.filters["since"]}
    assert run("review dismiss").exit_code == 2


def test_an_id_that_is_not_unique_is_refused_with_what_it_could_be(api: FakeApi):
    api.more_alerts = [make_alert("a", id="a" * 31 + "b", rule="unknown-people")]

    result = run("review aaaa dismiss")

    assert result.exit_code == 2
    assert "unknown-people at door" in result.stderr
    assert "longer beginning" in result.stderr
    assert run("review aaa dismiss").exit_code == 2


def test_the_pictures_of_alerts_are_written_to_a_folder(api: FakeApi, tmp_path: Path):
    api.more_alerts = [make_alert("b", thumbnail_url="https://picture")]

    run("alerts --pictures", tmp_path / "new")

    (picture,) = (tmp_path / "new").iterdir()
    assert (picture.name, picture.read_bytes()) == (f"{'b' * 32}.jpg", b"https://picture")


@pytest.mark.parametrize("text", ["ada lovelace", "Ada Lovelace", "p-0123", PERSON["id"]])
def test_a_person_is_found_by_name_and_by_the_beginning_of_an_id(api: FakeApi, text: str):
    result = run("people unwatch", text)

    assert result.exit_code == 0, result.output
    assert api.calls == [("unwatch", PERSON["id"])]


def test_the_tag_review_is_removed_when_somebody_says_that_the_photos_were_checked(api: FakeApi):
    assert run("people tags", PERSON["id"]).exit_code == 0
    assert api.calls == []

    assert run("people tags", PERSON["id"], "--reviewed").exit_code == 0
    assert api.calls == [("end-review", PERSON["id"])]


def test_a_name_of_two_people_and_an_unknown_name_are_refused_with_a_hint(api: FakeApi):
    api.more_people = [{**PERSON, "id": "p-ffffffffffff", "gallery": "staff"}]

    twice, unknown = run("people show", "Ada Lovelace"), run("people show", "ada")

    assert (twice.exit_code, unknown.exit_code) == (2, 2)
    assert "p-ffffffffffff (Ada Lovelace in staff)" in twice.stderr
    assert "did you mean Ada Lovelace" in unknown.stderr


def test_a_drop_is_labelled_by_the_first_digits_of_its_id(api: FakeApi):
    result = run("drops label dddd seven --json")

    assert json.loads(result.stdout) == {"drop": DROP, "label": "seven"}


def test_uploads_are_summed_up_and_a_rejected_photo_sets_the_exit_code(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    records = iter([{**DROP_RECORD, "alerts": 2}, {**DROP_RECORD, "state": "rejected", "found": None}])
    monkeypatch.setattr(FakeApi, "get_drop", lambda *_, **__: next(records))
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"")

    result = run("drop", tmp_path / "a.jpg", tmp_path / "b.jpg")

    assert result.stdout.splitlines()[-1] == "2 files: 1 done, 1 rejected; found 1; 2 times an alert"
    assert result.exit_code == 1


def test_times_are_local_and_name_their_zone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert format_time("2026-07-02T03:04:05Z") == "2026-07-02 05:04:05 CEST"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_choice_of_states_is_a_choice_in_help_and_values(api: FakeApi):
    assert run("drops list --state done").exit_code == 0
    assert "'rejected'" in run("drops list --state finished").stderr


@pytest.mark.parametrize("name", ["[/]", "[bold", "[link=https://example.test]Ada[/link]", "a\\"])
def test_people_with_brackets_in_their_names_are_listed_as_they_are(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setattr(FakeApi, "list_people", lambda _, **__: iter([{**PERSON, "name": name}]))

    result = run("people list")

    assert result.exit_code == 0
    assert name in result.stdout


def _too_large(_: FakeApi, *arguments: Any, **__: Any) -> str:
    photo = next(one for one in arguments if isinstance(one, Path))
    if photo.name == "large.jpg":
        raise Problem({"status": 413, "title": "Too large", "detail": "the limit is 4400000 bytes"})
    photo.read_bytes()
    return "upload-id"


def test_one_photo_that_is_too_large_is_refused_by_its_name_and_the_others_are_enrolled(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    photos = [tmp_path / name for name in ("a.jpg", "large.jpg", "b.jpg")]
    for photo in photos:
        photo.write_bytes(b"photo")
    monkeypatch.setattr(FakeApi, "create_person", lambda *_, **__: "p-new", raising=False)
    monkeypatch.setattr(FakeApi, "enrol_photo", _too_large, raising=False)

    result = run("enrol Ann --json", *photos)

    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [row["accepted"] for row in rows] == [True, False, True]
    assert "large.jpg: the limit is 4400000 bytes" in result.stderr


def test_a_dropped_file_that_is_too_large_does_not_stop_the_others(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    photos = [tmp_path / name for name in ("large.jpg", "a.jpg")]
    for photo in photos:
        photo.write_bytes(b"photo")
    monkeypatch.setattr(FakeApi, "upload_photo", _too_large)

    rows = [json.loads(line) for line in run("drop --wait 0 --json", *photos).stdout.splitlines()]

    assert [(row["state"], row.get("reason")) for row in rows] == [
        ("refused", "too-large"),
        ("uploaded", None),
    ]


def test_a_spelling_of_an_enrolled_name_adds_photos_to_the_person(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def create_person(*_: Any, **__: Any) -> str:
        raise Conflict({"status": 409})

    (tmp_path / "a.jpg").write_bytes(b"photo")
    monkeypatch.setattr(FakeApi, "create_person", create_person, raising=False)
    monkeypatch.setattr(FakeApi, "enrol_photo", lambda *_: api.calls.append(_[1:]), raising=False)

    result = CliRunner().invoke(app, ["enrol", str(PERSON["name"]).upper(), str(tmp_path / "a.jpg")])

    assert result.exit_code == 0
    assert api.calls == [(PERSON["id"], tmp_path / "a.jpg")]


@pytest.mark.parametrize("receipt", ["old.json", "nowhere/new.json"])
def test_a_receipt_that_cannot_be_written_is_told_before_the_person_is_erased(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receipt: str
):
    (tmp_path / "old.json").write_text("the receipt of another person")
    monkeypatch.setattr(FakeApi, "erase_person", lambda *_: api.calls.append(("erased",)), raising=False)

    result = run("people erase p-0123456789ab --receipt", tmp_path / receipt)

    assert (result.exit_code, api.calls) == (2, [])
    assert "--receipt" in result.stderr
    assert (tmp_path / "old.json").read_text() == "the receipt of another person"


def test_a_folder_of_a_person_without_photos_does_not_stop_the_import(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("Ann", "Ben"):
        (tmp_path / name).mkdir()
    (tmp_path / "Ben" / "1.jfif").write_bytes(b"photo")
    monkeypatch.setattr(FakeApi, "create_person", lambda _, name, **__: f"p-{name}", raising=False)
    monkeypatch.setattr(FakeApi, "enrol_photo", lambda *_: None, raising=False)

    result = run("people import", tmp_path)

    assert result.exit_code == 1
    assert "Ann: the folder has no photo" in result.stderr.replace("\n", "")
    assert "p-Ben" in result.stdout


@pytest.mark.parametrize(
    "command",
    ["people search", "people verify-erasure", "ops rules", "models train digits --recipe"],
)
def test_a_folder_where_one_file_is_meant_is_refused_by_name(api: FakeApi, tmp_path: Path, command: str):
    result = run(command, tmp_path)

    assert result.exit_code == 2
    assert "is a directory" in result.stderr


def test_many_drops_are_labelled_from_a_csv_file(api: FakeApi, tmp_path: Path):
    file = tmp_path / "labels.csv"
    file.write_bytes(f"\ufeffdrop,label\n{DROP[:8]}, seven \n{DROP},eight\n".encode())

    result = run("drops label-file", file, "--json")

    assert [json.loads(line)["label"] for line in result.stdout.splitlines()] == ["seven", "eight"]
    file.write_text("a,b\n1,2\n")
    assert "columns drop and label" in run("drops label-file", file).stderr


def test_dropped_photos_are_labelled_with_the_name_of_their_folder(
    api: FakeApi, people_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    labels: list[str] = []
    monkeypatch.setattr(FakeApi, "label_drop", lambda *arguments: labels.append(arguments[2]))

    run("drop", people_folder, "--label-by-folder")

    assert labels == ["Ada", "more", "Ben King"]


@pytest.mark.parametrize(("gain", "warned"), [((-0.05, -0.08, -0.02), True), ((0.01, -0.01, 0.03), False)])
def test_promoting_a_release_that_measured_worse_prints_a_warning(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, gain: tuple[float, float, float], warned: bool
):
    measured = dict(zip(("value", "low", "high"), gain, strict=True))
    model = {**MODEL, "releases": [{**RELEASE, "gain": measured}]}
    monkeypatch.setattr(FakeApi, "get_model", lambda *_: model)
    answer = {"model": "digits", "stages": {RELEASE["id"]: "active"}}
    monkeypatch.setattr(FakeApi, "promote_release", lambda *_, **__: answer, raising=False)

    result = run("models promote digits 0123 --reason test")

    assert result.exit_code == 0, result.output
    assert ("measured worse than the active release" in result.stderr) == warned


def test_a_wrong_recipe_is_refused_before_anything_is_ordered(api: FakeApi, tmp_path: Path):
    file = tmp_path / "recipe.toml"
    file.write_text("[input]\nsize = [32]\n")

    result = run("models train digits --recipe", file)

    assert result.exit_code == 2
    assert all(text in result.stderr for text in ("recipe.toml", "recipes/small.toml"))
