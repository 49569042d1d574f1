"""What an operator types: how is it, what is dead, send it back, set it aside, is it complete."""

import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cloud.dynamodb.maintenance_state import DynamoFaultCases
from cloud.dynamodb.state import DynamoStateStore
from tests.e2e.conftest import PHOTOS, RunningSystem, wait_until
from tests.e2e.test_cli import run_vigil
from tests.e2e.test_maintenance import drop_actions, invoke_function
from vigil.drops.messages import compute_drop_id
from vigil.reliability.dead_letters import FaultCase, fingerprint_of
from vigil_cli.__main__ import app
from vigil_cli.commands.alarms import runbook_section
from vigil_cli.console import out
from vigil_client import Vigil

ROOT = Path(__file__).resolve().parents[2]


def run_dlq(site: RunningSystem, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["ops", "dlq", arguments[0], "--data", str(site.data), *arguments[1:]])


def fault_cases(site: RunningSystem) -> DynamoFaultCases:
    states = DynamoStateStore(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    return DynamoFaultCases(states)


def send_dead_letter(site: RunningSystem, name: str, **more: Any) -> str:
    """A dead letter of the bulk lane, which triage leaves to a person; the id of its drop."""
    now, fault = datetime.now(UTC), fingerprint_of(None)
    case = FaultCase(fault, first_failed_at=now, since=now, phase="testing", canary_drop_id="another")
    fault_cases(site).save_cases({fault.id: case})
    job = {"model": "faces", "source": "door", "id": name, "data": ""}
    site.cloud.client("sqs").send_message(
        QueueUrl=site.cloud.outputs["BulkDeadLettersUrl"], MessageBody=json.dumps(job), **more
    )
    return compute_drop_id("job", name, "faces")


def send_bulk_job(site: RunningSystem, name: str) -> str:
    """A job in the bulk lane; the id of its drop."""
    job = {"model": "faces", "source": "door", "id": name, "data": ""}
    site.cloud.client("sqs").send_message(
        QueueUrl=site.cloud.outputs["BulkQueueUrl"], MessageBody=json.dumps(job)
    )
    return compute_drop_id("job", name, "faces")


def dead_letter_id(site: RunningSystem, drop: str) -> str:
    listed = run_dlq(site, "list")
    (line,) = [text for text in listed.stdout.splitlines() if drop[:8] in text]
    return line.split()[0]


def read_status(site: RunningSystem) -> Any:
    return json.loads(run_vigil(site, "status", "--json").stdout)


def test_status_shows_objectives_and_lanes(site: RunningSystem):
    site.wait_until_completed(site.drop_bytes((PHOTOS / "biden.jpg").read_bytes()))
    invoke_function(site, "Balance")
    invoke_function(site, "Reconcile")

    wait_until(
        lambda: [one for one in read_status(site)["slos"] if one["name"] == "live-age" and one["good_ratio"]]
    )
    result = run_vigil(site, "status")

    (age,) = [line for line in result.stdout.splitlines() if re.match(r"[│ ]*live-age +99.00%", line)]
    assert "%" in age.replace("99.00%", "", 1)
    assert "availability" in result.stdout
    assert "completeness" in result.stdout
    assert {"live", "bulk"} <= {line.strip("│ ").split(" ")[0] for line in result.stdout.splitlines()}
    assert max(map(len, result.stdout.splitlines())) <= 120


def test_status_is_bad_while_there_are_dead_letters(site: RunningSystem):
    drop = send_dead_letter(site, "status-says")

    lanes = {lane["lane"]: lane["dead_letters"] for lane in read_status(site)["lanes"]}
    result = run_vigil(site, "status")
    run_dlq(site, "redrive", "all")
    site.wait_until_completed(drop)

    assert lanes["bulk"] == 1
    assert result.exit_code == 1
    assert "needs attention" in result.stdout


def test_a_dead_letter_is_listed_shown_and_redriven_with_a_note_in_the_ledger(site: RunningSystem):
    drop = send_dead_letter(site, "by-hand")
    message_id = dead_letter_id(site, drop)
    shown = run_dlq(site, "show", message_id)
    sent = run_dlq(site, "redrive", message_id, "--reason", "looked fine")
    (row,) = site.wait_until_completed(drop)

    assert json.loads(json.loads(shown.stdout)["body"])["id"] == "by-hand"
    assert sent.exit_code == 0
    assert (row["state"], row["reason"], drop_actions(site, drop)) == ("rejected", "empty-file", ["redriven"])


def test_a_dead_letter_shows_which_drop_is_suspected(site: RunningSystem):
    drop = compute_drop_id("job", "suspect", "faces")
    suspicion = {"vigil-suspect-drop": {"DataType": "String", "StringValue": f"2 {drop}"}}
    send_dead_letter(site, "suspect", MessageAttributes=suspicion)

    shown = run_dlq(site, "show", dead_letter_id(site, drop))
    run_dlq(site, "quarantine", "all", "--reason", "not for us")

    assert json.loads(shown.stdout)["suspect_drop"] == drop


def test_the_ledger_shows_the_notes_of_a_drop(site: RunningSystem):
    drop = send_dead_letter(site, "done-about-it")
    run_dlq(site, "redrive", dead_letter_id(site, drop), "--reason", "looked fine")
    site.wait_until_completed(drop)

    result = run_vigil(site, "drops show", drop)

    assert re.search(r"redriven +20\S+ \S+ \S+ +looked fine", result.stdout)


def test_a_dead_letter_is_quarantined_with_a_reason(site: RunningSystem):
    drop = send_dead_letter(site, "set-aside")
    result = run_dlq(site, "quarantine", "all", "--reason", "not for us")
    (row,) = site.wait_until_completed(drop)

    assert result.exit_code == 0
    assert (row["state"], row["reason"], row["message"]) == ("quarantined", "by-hand", "not for us")


def test_an_unknown_dead_letter_is_reported(site: RunningSystem):
    result = run_dlq(site, "show", "zzz")

    assert result.exit_code == 2
    assert "zzz" in result.stderr


def test_reconcile_reports_a_complete_bucket(site: RunningSystem):
    site.wait_until_completed(site.drop_bytes((PHOTOS / "biden.jpg").read_bytes()))

    result = run_vigil(site, "ops reconcile")

    assert result.exit_code == 0, result.output
    assert "complete 100.00%" in result.stdout


def test_triage_reports_what_it_did_with_a_dead_letter(site: RunningSystem):
    drop = send_dead_letter(site, "by-triage")
    fault_cases(site).save_cases({})

    result = run_vigil(site, "ops triage", "--json")
    (row,) = site.wait_until_completed(drop)

    report = json.loads(result.stdout)
    assert result.exit_code == 0, result.output
    assert (report["messages"], report["redriven"], report["republished"]) == (1, 1, 0)
    assert sum(report["reasons"].values()) == report["redriven"] + report["new_faults"]
    assert row["state"] == "rejected"


def test_status_and_alarms_fit_a_small_screen(site: RunningSystem, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(out, "width", 80)

    shown = [
        run_vigil(site, "status").stdout,
        run_vigil(site, "ops alarms").stdout,
        run_dlq(site, "list").stdout,
    ]

    assert max(len(line) for text in shown for line in text.splitlines()) <= 80
    assert not re.search(r"\w-\n", "".join(shown))


def test_a_paused_lane_is_shown_as_paused_and_can_be_resumed(site: RunningSystem):
    paused = run_vigil(site, "ops pause", "bulk")
    shown = run_vigil(site, "status")
    invoke_function(site, "Balance")
    held = read_status(site)["lanes"][1]["paused"]
    drop = send_bulk_job(site, "while-paused")
    before = site.cloud.records.find_drop(drop)
    run_vigil(site, "ops resume", "bulk")
    (row,) = site.wait_until_completed(drop)

    assert "./vigil ops resume bulk" in paused.stdout
    assert (held, shown.exit_code, before) == (True, 1, None)
    assert re.search(r"bulk +paused", shown.stdout)
    assert row["state"] == "rejected"


def test_an_alarm_shows_its_runbook_section(site: RunningSystem):
    shown = run_vigil(site, "ops alarms", "vigil-test-degraded".removeprefix("vigil-test-"))
    unknown = run_vigil(site, "ops alarms", "nothing")

    assert "every worker" in shown.stdout
    assert "Automatic recovery" in shown.stdout
    assert (unknown.exit_code, "degraded" in unknown.stderr) == (2, True)


def test_runbook_commands_are_shown_with_the_requested_stage():
    text = runbook_section("live-dead-letters", "prod")

    commands = [line for line in text.splitlines() if line.startswith("./vigil ops dlq")]
    assert len(commands) == 5
    assert all(" --stage prod" in line.split("  #")[0] for line in commands)


def test_a_backfill_of_an_unknown_model_is_rejected(site: RunningSystem):
    result = run_vigil(site, "ops backfill", "nothing")

    assert result.exit_code == 2
    assert "faces" in result.stderr


def test_an_interrupted_backfill_prints_the_command_that_resumes_it(
    site: RunningSystem, monkeypatch: pytest.MonkeyPatch
):
    parts = iter([{"announced": 2000, "cursor": '["live/", "a b", "v"]'}])

    def announce_part(*_: object, **__: object) -> dict[str, object]:
        for part in parts:
            return part
        raise KeyboardInterrupt

    monkeypatch.setattr(Vigil, "backfill", announce_part)

    stopped = run_vigil(site, "ops backfill", "faces")

    assert stopped.exit_code == 130
    assert shlex.split(stopped.stdout.splitlines()[-1])[-2:] == ["--cursor", '["live/", "a b", "v"]']


def test_status_shows_only_the_alarms_that_fire(site: RunningSystem):
    watch, name = site.cloud.client("cloudwatch"), "vigil-test-degraded"
    before = [alarm["name"] for alarm in read_status(site)["firing_alarms"]]
    watch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    shown = run_vigil(site, "status")
    watch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test")

    assert "degraded" not in before
    assert re.search(r"degraded +\d+ s ago +The live lane", shown.stdout)
    assert "notifies nobody" not in shown.stdout
    assert shown.exit_code == 1
