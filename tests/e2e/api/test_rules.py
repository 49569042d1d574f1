"""Rules that raise alerts, and reviews of alerts."""

from typing import Any

import pytest

from tests.e2e.api.conftest import PHOTOS, Site, wait_for_reload

TWO_REVIEWERS = """
[[rules]]
name = "watch-listed"
severity = "critical"
reviewers = 2
window_s = 1
when = { tags = ["watch"] }
"""


@pytest.mark.usefixtures("biden", "rules")
def test_an_alert_that_requires_two_reviewers_stays_open_after_one_review(site: Site):
    version = site.request("GET", "/v1/rules").json["version"]
    put = site.request("PUT", "/v1/rules", {"toml": TWO_REVIEWERS, "version": version})
    wait_for_reload()
    drop = site.upload_drop((PHOTOS / "biden.jpg").read_bytes(), "two")
    (alert,) = site.request("GET", "/v1/alerts?source=two").json["items"]
    path, verdict = f"/v1/alerts/{alert['id']}/reviews", {"decision": "confirm"}

    first = site.request("POST", path, verdict, token=site.token("reviewer", subject="ann")).json
    same = site.request("POST", path, verdict, token=site.token("reviewer", subject="ann"))
    second = site.request("POST", path, verdict, token=site.token("reviewer", subject="bob")).json

    assert (put.status, drop["alerts"], alert["required_reviewers"]) == (200, 1, 2)
    assert (first["review"], same.status, second["review"]) == ("open", 409, "confirmed")


def test_a_dismissed_alert_is_suppressed(site: Site, biden: str):
    site.upload_drop((PHOTOS / "biden.jpg").read_bytes(), "calm")
    (alert,) = site.request("GET", "/v1/alerts?source=calm").json["items"]
    site.request("POST", f"/v1/alerts/{alert['id']}/reviews", {"decision": "dismiss"})

    again = site.upload_drop((PHOTOS / "biden.jpg").read_bytes(), "calm")

    assert again["alerts"] == 0


def test_a_dry_run_counts_alerts_without_raising_them(site: Site, alert: Any):
    result = site.request("POST", "/v1/rules/dry-run", {"toml": TWO_REVIEWERS}).json

    (rule,) = result["rules"]
    assert rule["sightings"] >= 1
    assert rule["alerts"] >= 1


@pytest.mark.parametrize("toml", ["x =", '[[rules]]\nname = "a"\nseverity = "loud"\n', "[doors]\n"])
def test_invalid_rules_are_refused_and_the_current_ones_stay(site: Site, toml: str):
    before = site.request("GET", "/v1/rules").json

    refusal = site.request("PUT", "/v1/rules", {"toml": toml})

    assert (refusal.status, refusal.json["reason"]) == (422, "invalid-rules")
    assert site.request("GET", "/v1/rules").json == before


def test_a_dry_run_ignores_alerts_of_sources_that_the_caller_cannot_access(site: Site, alert: Any):
    rules = f'[[rules]]\nname = "{alert["rule"]}"\nwhen = {{ status = ["known"] }}\n'
    guard = site.token("operator", "elsewhere-*", subject="elsewhere")

    (everywhere,) = site.request("POST", "/v1/rules/dry-run", {"toml": rules}).json["rules"]
    (theirs,) = site.request("POST", "/v1/rules/dry-run", {"toml": rules}, token=guard).json["rules"]

    assert everywhere["current_alerts"] >= 1
    assert (theirs["sightings"], theirs["current_alerts"]) == (0, 0)
