"""Rules that raise alerts, and people who review them."""

from typing import Any

import pytest

from tests.api.conftest import PHOTOS, Site, noticed

TWO_REVIEWERS = """
[[rules]]
name = "watch-listed"
severity = "critical"
reviewers = 2
window_s = 1
when = { tags = ["watch"] }
"""


@pytest.mark.usefixtures("biden", "rules")
def test_where_a_rule_asks_for_two_reviewers_one_does_not_close_an_alert(site: Site):
    version = site.ask("GET", "/v1/rules").json["version"]
    put = site.ask("PUT", "/v1/rules", {"toml": TWO_REVIEWERS, "version": version})
    noticed()
    drop = site.dropped((PHOTOS / "biden.jpg").read_bytes(), "two")
    (alert,) = site.ask("GET", "/v1/alerts?source=two").json["items"]
    path, verdict = f"/v1/alerts/{alert['alert']}/reviews", {"verdict": "confirm"}

    first = site.ask("POST", path, verdict, token=site.token("reviewer", subject="ann")).json
    same = site.ask("POST", path, verdict, token=site.token("reviewer", subject="ann"))
    second = site.ask("POST", path, verdict, token=site.token("reviewer", subject="bob")).json

    assert (put.status, drop["alerts"], alert["reviewers"]) == (200, 1, 2)
    assert (first["review"], same.status, second["review"]) == ("open", 409, "confirmed")


def test_what_was_dismissed_is_not_raised_again_for_a_while(site: Site, biden: str):
    site.dropped((PHOTOS / "biden.jpg").read_bytes(), "calm")
    (alert,) = site.ask("GET", "/v1/alerts?source=calm").json["items"]
    site.ask("POST", f"/v1/alerts/{alert['alert']}/reviews", {"verdict": "dismiss"})

    again = site.dropped((PHOTOS / "biden.jpg").read_bytes(), "calm")

    assert again["alerts"] == 0


def test_a_dry_run_tells_what_rules_would_raise_without_raising_it(site: Site, alert: Any):
    told = site.ask("POST", "/v1/rules/dry-run", {"toml": TWO_REVIEWERS}).json

    (rule,) = told["rules"]
    assert rule["sightings"] >= 1
    assert rule["alerts"] >= 1


@pytest.mark.parametrize("toml", ["x =", '[[rules]]\nname = "a"\nseverity = "loud"\n', "[doors]\n"])
def test_rules_that_cannot_be_meant_are_refused_and_the_old_ones_stay(site: Site, toml: str):
    before = site.ask("GET", "/v1/rules").json

    refusal = site.ask("PUT", "/v1/rules", {"toml": toml})

    assert (refusal.status, refusal.json["reason"]) == (422, "bad-watch-file")
    assert site.ask("GET", "/v1/rules").json == before


def test_a_dry_run_counts_no_alert_of_a_source_that_is_not_the_callers(site: Site, alert: Any):
    rules = f'[[rules]]\nname = "{alert["rule"]}"\nwhen = {{ status = ["known"] }}\n'
    guard = site.token("operator", "elsewhere-*", subject="elsewhere")

    (everywhere,) = site.ask("POST", "/v1/rules/dry-run", {"toml": rules}).json["rules"]
    (theirs,) = site.ask("POST", "/v1/rules/dry-run", {"toml": rules}, token=guard).json["rules"]

    assert everywhere["now"] >= 1
    assert (theirs["sightings"], theirs["now"]) == (0, 0)
