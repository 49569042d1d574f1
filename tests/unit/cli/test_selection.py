"""Alerts, drops, people and dead letters are selected by filters, names and beginnings of ids."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.fakes.vigil_api import (
    ALERT,
    DEAD_LETTER,
    DROP,
    PERSON,
    FakeApi,
    run,
)
from vigil_cli.__main__ import app


def test_a_dead_letter_is_redriven_by_the_first_characters_of_its_id(api: FakeApi):
    result = run("ops dlq redrive 8bba --json --reason fixed")

    assert json.loads(result.stdout) == {"action": "redrive", "processed": 1}
    assert api.calls == [("redrive", "bulk", [DEAD_LETTER["id"]], "fixed")]


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


def test_a_name_of_two_people_and_an_unknown_name_are_refused_with_a_hint(api: FakeApi):
    api.more_people = [{**PERSON, "id": "p-ffffffffffff", "gallery": "staff"}]

    twice, unknown = run("people show", "Ada Lovelace"), run("people show", "ada")

    assert (twice.exit_code, unknown.exit_code) == (2, 2)
    assert "p-ffffffffffff (Ada Lovelace in staff)" in twice.stderr
    assert "did you mean Ada Lovelace" in unknown.stderr


def test_a_drop_is_labelled_by_the_first_digits_of_its_id(api: FakeApi):
    result = run("drops label dddd seven --json")

    assert json.loads(result.stdout) == {"drop": DROP, "label": "seven"}
