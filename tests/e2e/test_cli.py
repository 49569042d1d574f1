"""The command line, against the running system: what a person types, and what comes back."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from tests.e2e.conftest import PHOTOS, RunningSystem
from vigil_cli.__main__ import app


def run_vigil(site: RunningSystem, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*command.split(), "--data", str(site.data), *arguments])


def test_without_a_cloud_the_error_names_the_command_that_starts_one(tmp_path: Path):
    result = CliRunner().invoke(app, ["alerts", "--data", str(tmp_path)])

    assert result.exit_code == 2
    assert "./vigil up" in result.stderr


def test_a_dropped_file_comes_back_with_who_is_in_it(site: RunningSystem):
    result = run_vigil(site, "drop", str(PHOTOS / "obama3.jpg"), "--source", "cli")

    assert result.exit_code == 0, result.output
    assert "obama3.jpg" in result.stdout
    assert "Obama" in result.stdout


def test_a_drop_is_found_by_object_key_and_by_id_prefix(site: RunningSystem):
    site.wait_until_completed(site.drop_bytes((PHOTOS / "biden.jpg").read_bytes(), source="ask"))
    (key,) = [one for one in site.photo_keys() if one.startswith("live/faces/ask/")]

    by_key = run_vigil(site, "drops show", key, "--json")
    row = json.loads(by_key.stdout.splitlines()[0])
    by_id = run_vigil(site, "drops show", row["id"][:10])

    assert (row["state"], row["sightings"][0]["status"]) == ("done", "known")
    assert row["id"] in by_id.stdout
    assert "Biden" in by_id.stdout


def test_an_unknown_object_is_reported_as_unknown(site: RunningSystem):
    result = run_vigil(site, "drops show", "live/faces/nowhere/x.jpg")

    assert result.exit_code == 2
    assert "no record of" in result.stderr


def test_sightings_and_alerts_are_listed_for_people_and_for_programs(site: RunningSystem):
    run_vigil(site, "drop", str(PHOTOS / "obama2.jpg"), "--source", "lists")

    sightings = [json.loads(line) for line in run_vigil(site, "sightings", "--json").stdout.splitlines()]
    alerts = [json.loads(line) for line in run_vigil(site, "alerts", "--json").stdout.splitlines()]

    assert "lists" in {row["source"] for row in sightings}
    assert ("watch-listed", "lists") in {(row["rule"], row["source"]) for row in alerts}
    assert "Obama" in run_vigil(site, "sightings").stdout
    assert "watch-listed" in run_vigil(site, "alerts").stdout


def test_an_unusable_photo_is_rejected_with_the_reason(site: RunningSystem):
    result = run_vigil(site, "enrol", "Somebody Else", str(PHOTOS / "obama2.jpg"))

    assert result.exit_code == 1
    assert "already-enrolled" in result.stderr


def test_a_rules_file_is_validated_before_it_becomes_active(site: RunningSystem, tmp_path: Path):
    file = tmp_path / "rules.toml"
    file.write_text("[[rules]]\nseverity = 'loud'")

    result = run_vigil(site, "ops rules", str(file))

    assert result.exit_code == 2
    assert "severity" in result.stderr
    assert "unknown-in-restricted-area" in run_vigil(site, "ops rules").stdout


def test_logs_shows_the_lines_of_a_function(site: RunningSystem):
    run_vigil(site, "drop", str(PHOTOS / "obama2.jpg"), "--source", "logs")

    result = run_vigil(site, "logs", "live")

    assert "REPORT RequestId" in result.stdout


def test_an_unknown_lane_is_rejected(site: RunningSystem):
    result = run_vigil(site, "drop", str(PHOTOS / "obama2.jpg"), "--lane", "fast")

    assert result.exit_code == 2
    assert "'live'" in result.stderr


def test_predict_needs_no_cloud():
    result = CliRunner().invoke(app, ["predict", "faces", str(PHOTOS / "obama.jpg"), "no.jpg", "--json"])

    first, second = (json.loads(line) for line in result.stdout.splitlines())
    (face,) = first["faces"]
    assert (first["photo"], first["error"]) == (str(PHOTOS / "obama.jpg"), None)
    assert (len(face["box"]), len(face["landmarks"]), len(face["embedding"])) == (4, 68, 512)
    assert (second["photo"], second["faces"]) == ("no.jpg", [])
    assert second["error"]["reason"]
