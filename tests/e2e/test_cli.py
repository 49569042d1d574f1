"""The command line, against the running system: what a person types, and what comes back."""

import json
import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from infra.cli.__main__ import app
from tests.e2e.conftest import PHOTOS, Site


def vigil(site: Site, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, [command, "--data", str(site.data), *arguments])


def every_command() -> list[list[str]]:
    """The words of each command, those inside groups too."""
    groups = [(str(group.name), group.typer_instance) for group in app.registered_groups]
    inside = [[name, word] for name, group in groups if group for word in _names(group)]
    return [*([name] for name in _names(app)), *inside]


def _names(group: typer.Typer) -> list[str]:
    return [str(one.name or getattr(one.callback, "__name__", "")) for one in group.registered_commands]


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_command_teaches_with_an_example_that_it_takes(words: list[str]):
    result = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})

    said = " ".join(line.strip("│ ") for line in result.stdout.split("Usage")[1].splitlines())
    (example,) = re.findall(r"Example: (.*?\./vigil .*?)  ", said)
    asked = shlex.split(example.split("./vigil ")[1].split(")")[0])
    taken = CliRunner().invoke(app, [*asked, "--help"])
    assert result.exit_code == 0
    assert asked[: len(words)] == words
    assert taken.exit_code == 0, taken.output


def test_without_a_cloud_the_way_out_is_told(tmp_path: Path):
    result = CliRunner().invoke(app, ["alerts", "--data", str(tmp_path)])

    assert result.exit_code == 2
    assert "./vigil up" in result.stderr


def test_a_dropped_file_comes_back_with_who_is_in_it(site: Site):
    result = vigil(site, "drop", str(PHOTOS / "obama3.jpg"), "--source", "cli")

    assert result.exit_code == 0, result.output
    assert "cli/obama3.jpg" in result.stdout
    assert "Obama" in result.stdout


def test_where_is_my_photo_is_answered_by_key_and_by_the_beginning_of_its_id(site: Site):
    vigil(site, "drop", str(PHOTOS / "biden.jpg"), "--source", "ask")

    by_key = vigil(site, "ledger", "live/faces/ask/biden.jpg", "--json")
    row = json.loads(by_key.stdout.splitlines()[0])
    by_id = vigil(site, "ledger", row["drop_id"][:10])

    assert (row["state"], row["seen"][0]["status"]) == ("done", "known")
    assert row["drop_id"] in by_id.stdout
    assert "Biden" in by_id.stdout


def test_what_is_not_on_record_is_said_so(site: Site):
    result = vigil(site, "ledger", "live/faces/nowhere/x.jpg")

    assert result.exit_code == 2
    assert "nothing on record" in result.stderr


def test_sightings_and_alerts_are_listed_for_people_and_for_programs(site: Site):
    vigil(site, "drop", str(PHOTOS / "obama2.jpg"), "--source", "lists")

    sightings = [json.loads(line) for line in vigil(site, "sightings", "--json").stdout.splitlines()]
    alerts = [json.loads(line) for line in vigil(site, "alerts", "--json").stdout.splitlines()]

    assert "lists" in {row["taken_from"] for row in sightings}
    assert ("watch-listed", "lists") in {(row["rule"], row["taken_from"]) for row in alerts}
    assert "Obama" in vigil(site, "sightings").stdout
    assert "watch-listed" in vigil(site, "alerts").stdout


def test_a_photo_that_will_not_do_is_refused_with_the_reason(site: Site):
    result = vigil(site, "enrol", "Somebody Else", str(PHOTOS / "obama2.jpg"))

    assert result.exit_code == 1
    assert "already-enrolled" in result.stderr


def test_a_watch_file_is_checked_before_it_is_put_in_force(site: Site, tmp_path: Path):
    file = tmp_path / "watch.toml"
    file.write_text("[[rules]]\nseverity = 'loud'")

    result = vigil(site, "watch", str(file))

    assert result.exit_code == 2
    assert "severity" in result.stderr
    assert "stranger-in-restricted-area" in vigil(site, "watch").stdout


def test_logs_are_at_hand(site: Site):
    vigil(site, "drop", str(PHOTOS / "obama2.jpg"), "--source", "logs")

    result = vigil(site, "logs", "live")

    assert "REPORT RequestId" in result.stdout


def test_a_lane_that_is_not_there_is_refused(site: Site):
    result = vigil(site, "drop", str(PHOTOS / "obama2.jpg"), "--lane", "fast")

    assert result.exit_code == 2
    assert "live or bulk" in result.stderr


def test_predict_needs_no_cloud():
    result = CliRunner().invoke(app, ["predict", "faces", str(PHOTOS / "obama.jpg"), "no.jpg", "--json"])

    first, second = (json.loads(line) for line in result.stdout.splitlines())
    (face,) = first["faces"]
    assert (first["photo"], first["error"]) == (str(PHOTOS / "obama.jpg"), None)
    assert (len(face["box"]), len(face["landmarks"]), len(face["embedding"])) == (4, 68, 512)
    assert (second["photo"], second["faces"]) == ("no.jpg", [])
    assert second["error"]["reason"]
