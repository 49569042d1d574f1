"""What an operator types: how is it, what is dead, send it back, set it aside, is it complete."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infra.cli import backfill, saying
from infra.cli.__main__ import app
from infra.cli.alarms import section
from infra.cli.condition import Condition, Lane, condition
from infra.cli.status import fine
from infra.slo.objectives import read
from tests.e2e.conftest import PHOTOS, Site, until
from tests.e2e.test_cli import vigil
from tests.e2e.test_steady import invoked, notes
from vigil.drops import drop_id

ROOT = Path(__file__).resolve().parents[2]


def _dlq(site: Site, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["dlq", arguments[0], "--data", str(site.data), *arguments[1:]])


def _dead(site: Site, name: str, **more: Any) -> str:
    """A job that is a dead letter of the bulk lane; the id of its drop."""
    job = {"model": "faces", "source": "door", "id": name, "data": ""}
    site.cloud.client("sqs").send_message(
        QueueUrl=site.cloud.outputs["BulkDeadLettersUrl"], MessageBody=json.dumps(job), **more
    )
    return drop_id("job", name, "faces")


def _sent(site: Site, name: str) -> str:
    """A job in the bulk lane; the id of its drop."""
    job = {"model": "faces", "source": "door", "id": name, "data": ""}
    site.cloud.client("sqs").send_message(
        QueueUrl=site.cloud.outputs["BulkQueueUrl"], MessageBody=json.dumps(job)
    )
    return drop_id("job", name, "faces")


def _letter(site: Site, drop: str) -> str:
    listed = _dlq(site, "list")
    (line,) = [one for one in listed.stdout.splitlines() if drop[:8] in one]
    return line.split()[0]


def test_status_shows_promises_lanes_and_faults(site: Site):
    site.ended(site.put((PHOTOS / "biden.jpg").read_bytes()))
    invoked(site, "Balance")
    invoked(site, "Reconcile")

    until(
        lambda: [
            one for one in condition(site.cloud).promises if one.objective.name == "live-age" and one.good
        ]
    )
    result = vigil(site, "status")

    (age,) = [line for line in result.stdout.splitlines() if line.strip("│ ").startswith("live-age")]
    assert "%" in age.replace("99.00%", "", 1)
    assert "availability" in result.stdout
    assert "completeness" in result.stdout
    assert {"live", "bulk"} <= {line.strip("│ ").split(" ")[0] for line in result.stdout.splitlines()}
    assert max(map(len, result.stdout.splitlines())) <= 120


def test_status_is_bad_while_there_are_dead_letters(site: Site):
    drop = _dead(site, "status-says")

    seen = condition(site.cloud)
    result = vigil(site, "status")
    _dlq(site, "redrive", "all")
    site.ended(drop)

    assert [lane.dead for lane in seen.lanes if lane.name == "bulk"] == [1]
    assert result.exit_code == 1
    assert "needs a look" in result.stdout


def test_a_dead_letter_is_listed_shown_and_sent_back_with_a_line_in_the_ledger(site: Site):
    drop = _dead(site, "by-hand")
    letter = _letter(site, drop)
    shown = _dlq(site, "show", letter)
    sent = _dlq(site, "redrive", letter, "--why", "looked fine")
    (row,) = site.ended(drop)

    assert json.loads(json.loads(shown.stdout)["body"])["id"] == "by-hand"
    assert sent.exit_code == 0
    assert (row["state"], row["reason"], notes(site, drop)) == ("rejected", "empty-file", ["redriven"])


def test_a_letter_shows_which_drop_is_suspected(site: Site):
    drop = drop_id("job", "suspected", "faces")
    suspicion = {"vigil-suspicion": {"DataType": "String", "StringValue": f"2 {drop}"}}
    _dead(site, "suspected", MessageAttributes=suspicion)

    shown = _dlq(site, "show", _letter(site, drop))
    _dlq(site, "quarantine", "all", "--why", "not for us")

    assert json.loads(shown.stdout)["suspected"] == {"drop": drop, "attempts": 2}


def test_the_ledger_says_what_was_done_about_a_drop(site: Site):
    drop = _dead(site, "done-about-it")
    _dlq(site, "redrive", _letter(site, drop), "--why", "looked fine")
    site.ended(drop)

    result = vigil(site, "ledger", drop)

    assert re.search(r"redriven +20\S+  looked fine", result.stdout)


def test_a_dead_letter_is_set_aside_for_a_reason(site: Site):
    drop = _dead(site, "set-aside")
    result = _dlq(site, "quarantine", "all", "--why", "not for us")
    (row,) = site.ended(drop)

    assert result.exit_code == 0
    assert (row["state"], row["reason"], row["message"]) == ("quarantined", "by-hand", "not for us")


def test_a_letter_that_is_not_there_is_said_so(site: Site):
    result = _dlq(site, "show", "zzz")

    assert result.exit_code == 2
    assert "zzz" in result.stderr


def test_a_complete_bucket_is_said_to_be(site: Site):
    site.ended(site.put((PHOTOS / "biden.jpg").read_bytes()))

    result = vigil(site, "reconcile")

    assert result.exit_code == 0, result.output
    assert "complete 100.00%" in result.stdout


def test_a_promise_that_is_broken_altogether_is_not_taken_for_one_without_data(site: Site):
    lane = Lane("live", 0, 0, 0, 4, "closed", False, calls=10, failures=10, age_s=0.0)
    seen = Condition([lane], None, None, (), 0, ())

    assert not fine(seen, read((ROOT / "infra" / "slo.toml").read_text()))


def test_status_and_alarms_fit_a_small_screen(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(saying.out, "width", 80)

    shown = [vigil(site, "status").stdout, vigil(site, "alarms").stdout, _dlq(site, "list").stdout]

    assert max(len(line) for text in shown for line in text.splitlines()) <= 80
    assert not re.search(r"\w-\n", "".join(shown))


def test_a_lane_that_was_paused_says_so_and_goes_on(site: Site):
    paused = vigil(site, "pause", "bulk")
    shown = vigil(site, "status")
    invoked(site, "Balance")
    held = condition(site.cloud).lanes[1].paused
    drop = _sent(site, "while-paused")
    before = site.cloud.records.drop(drop)
    vigil(site, "resume", "bulk")
    (row,) = site.ended(drop)

    assert "./vigil resume bulk" in paused.stdout
    assert (held, shown.exit_code, before) == (True, 1, None)
    assert re.search(r"bulk +paused", shown.stdout)
    assert row["state"] == "rejected"


def test_an_alarm_tells_what_it_means_and_what_to_do(site: Site):
    told = vigil(site, "alarms", "vigil-test-degraded".removeprefix("vigil-test-"))
    unknown = vigil(site, "alarms", "nothing")

    assert "every worker" in told.stdout
    assert "Mends itself" in told.stdout
    assert (unknown.exit_code, "degraded" in unknown.stderr) == (2, True)


def test_the_manual_s_commands_are_aimed_at_the_stage_that_was_asked_about():
    told = section("live-dead-letters", "prod")

    commands = [line for line in told.splitlines() if line.startswith("./vigil")]
    assert len(commands) == 6
    assert all(" --stage prod" in line.split("  #")[0] for line in commands)


def test_a_back_fill_of_a_model_that_is_not_there_is_refused(site: Site):
    result = vigil(site, "backfill", "nothing")

    assert result.exit_code == 2
    assert "faces" in result.stderr


def test_a_back_fill_that_was_stopped_tells_how_to_go_on(site: Site, monkeypatch: pytest.MonkeyPatch):
    answers = iter([{"announced": 2000, "cursor": '["live/", "a b", "v"]'}])

    def ask(*_: object) -> dict[str, object]:
        for answer in answers:
            return answer
        raise KeyboardInterrupt

    monkeypatch.setattr(backfill, "ask", ask)

    stopped = vigil(site, "backfill", "faces")

    assert stopped.exit_code == 130
    assert shlex.split(stopped.stdout.splitlines()[-1])[-2:] == ["--cursor", '["live/", "a b", "v"]']


def test_status_shows_the_alarms_that_went_off_and_no_others(site: Site):
    watch, name = site.cloud.client("cloudwatch"), "vigil-test-degraded"
    before = [alarm.name for alarm in condition(site.cloud).ringing]
    watch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    shown = vigil(site, "status")
    watch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test")

    assert "degraded" not in before
    assert re.search(r"degraded +\d+ s ago +Live has every worker", shown.stdout)
    assert "tells nobody" not in shown.stdout
    assert shown.exit_code == 1
