"""Each command prints a table for people, and with --json exactly the API's objects, one a line."""

import json
import time
from pathlib import Path

import pytest

from tests.fakes.vigil_api import (
    ACTION,
    ALARM,
    ALERT,
    AUDIT_ENTRY,
    DEAD_LETTER,
    DROP,
    DROP_RECORD,
    MODEL,
    MODEL_RELEASES,
    PERSON,
    RELEASE,
    SIGHTING,
    TRAINING,
    FakeApi,
    run,
)
from vigil_cli.console import format_time
from vigil_cli.session import Session

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


def test_tags_are_changed_only_where_an_option_is_given(api: FakeApi):
    run("people tags p-0123456789ab")
    run("people tags p-0123456789ab --watch --no-consent")

    assert api.calls == [("watch", PERSON["id"]), ("withdraw-consent", PERSON["id"])]


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


def test_the_tag_review_is_removed_when_somebody_says_that_the_photos_were_checked(api: FakeApi):
    assert run("people tags", PERSON["id"]).exit_code == 0
    assert api.calls == []

    assert run("people tags", PERSON["id"], "--reviewed").exit_code == 0
    assert api.calls == [("end-review", PERSON["id"])]


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
