"""What an operator types: how is it, what is dead, send it back, set it aside, is it complete."""

import json

from typer.testing import CliRunner, Result

from infra.cli.__main__ import app
from infra.cli.condition import condition
from tests.e2e.conftest import PHOTOS, Site
from tests.e2e.test_cli import vigil
from tests.e2e.test_steady import invoked, notes
from vigil.drops import drop_id


def _dlq(site: Site, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["dlq", arguments[0], "--data", str(site.data), *arguments[1:]])


def _dead(site: Site, name: str) -> str:
    """A job that is a dead letter of the bulk lane; the id of its drop."""
    job = {"model": "faces", "source": "door", "id": name, "data": ""}
    site.cloud.client("sqs").send_message(
        QueueUrl=site.cloud.outputs["BulkDeadLettersUrl"], MessageBody=json.dumps(job)
    )
    return drop_id("job", name, "faces")


def _letter(site: Site, drop: str) -> str:
    listed = _dlq(site, "list")
    (line,) = [one for one in listed.stdout.splitlines() if drop[:12] in one]
    return line.split()[0]


def test_status_shows_promises_lanes_and_faults(site: Site):
    site.ended(site.put((PHOTOS / "biden.jpg").read_bytes()))
    invoked(site, "Balance")
    invoked(site, "Reconcile")

    result = vigil(site, "status")

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


def test_status_shows_the_alarms_that_went_off_and_no_others(site: Site):
    watch, name = site.cloud.client("cloudwatch"), "vigil-test-degraded"
    before = [alarm for alarm, _ in condition(site.cloud).alarms]
    watch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    shown = vigil(site, "status")
    watch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test")

    assert "degraded" not in before
    assert "alarm degraded: Live has every worker" in shown.stdout
    assert "tells nobody" not in shown.stdout
    assert shown.exit_code == 1
