"""Webhook subscriptions: their filters, and access to them."""

from typing import Any

import pytest

from tests.e2e.api.conftest import Site


def test_a_subscription_is_limited_to_the_sources_of_its_owner(site: Site):
    token = site.token("operator", "door-*", subject="guard")
    hook = {"url": "https://127.0.0.1:1/hook", "types": ["vigil.drop.quarantined"]}

    made = site.request("POST", "/v1/subscriptions", hook, token=token)
    foreign = site.request("POST", "/v1/subscriptions", hook | {"sources": ["vault"]}, token=token)
    gone = site.request("DELETE", f"/v1/subscriptions/{made.json['id']}", token=token)

    assert site.request("GET", "/v1/subscriptions", token=token).json == {"items": []}
    assert made.json["filter"] == {"type": ["vigil.drop.quarantined"], "source": [{"prefix": "door-"}]}
    assert (foreign.status, gone.status) == (403, 204)


@pytest.mark.parametrize(
    ("types", "severity"),
    [
        (["vigil.alert.raised"], ["critical"]),
        (["vigil.alert.raised", "vigil.drop.quarantined"], ["critical", {"exists": False}]),
    ],
)
def test_a_filter_by_severity_lets_events_of_drops_pass(site: Site, types: Any, severity: Any):
    hook = {"url": "https://127.0.0.1:1/hook", "types": types, "severities": ["critical", "critical"]}

    made = site.request("POST", "/v1/subscriptions", hook).json
    site.request("DELETE", f"/v1/subscriptions/{made['id']}")

    assert made["filter"] == {"type": types, "severity": severity}


def test_a_filter_with_too_many_combinations_is_refused_with_a_remedy(site: Site):
    hook = {
        "url": "https://127.0.0.1:1/hook",
        "types": ["vigil.alert.raised", "vigil.drop.done"],
        "severities": ["warning", "critical"],
        "sources": [f"door-{number}" for number in range(26)],
    }

    refused = site.request("POST", "/v1/subscriptions", hook)

    assert (refused.status, refused.json["reason"]) == (422, "too-many-combinations")
    assert "several subscriptions" in refused.json["detail"]


def test_only_the_creator_and_admins_can_read_and_delete_a_subscription(site: Site):
    ann, bob = (site.token("operator", subject=name) for name in ("subscriber-ann", "subscriber-bob"))
    made = site.request("POST", "/v1/subscriptions", {"url": "https://127.0.0.1:1/secret"}, token=ann).json
    path = f"/v1/subscriptions/{made['id']}"

    own = site.request("GET", "/v1/subscriptions", token=ann).json["items"]
    others = site.request("GET", "/v1/subscriptions", token=bob).json["items"]
    refused = [site.request(method, path, token=bob).status for method in ("GET", "DELETE")]
    admins = site.request("GET", path)
    ended = [site.request("DELETE", path, token=token).status for token in (ann, ann)]

    assert own == [made]
    assert (others, refused) == ([], [404, 404])
    assert (admins.status, admins.json) == (200, made)
    assert ended == [204, 404]
