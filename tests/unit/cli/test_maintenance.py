"""The state of the system: status, alarms, audit log, triage and reconcile, with their exit codes."""

import json
from typing import Any

import pytest

from tests.fakes.vigil_api import (
    ALARM,
    AT,
    FakeApi,
    run,
)


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
