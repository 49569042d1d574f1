"""Number of AWS calls of each read, from the API's log."""

import json
from typing import Any

import pytest

from cloud.dynamodb.schema import LIST_SHARDS
from tests.e2e.api.conftest import Site

MAX_AWS_CALLS = {
    "list-models": 0,
    "get-openapi": 0,
    "list-drops": LIST_SHARDS,
    "get-rules": 1,
    "get-drop": 3,
    "get-person": 3,
    "list-people": LIST_SHARDS + 1,
    "get-alert": 3,
    "list-alerts": LIST_SHARDS + 2,
    "list-sightings": 3,
    "get-status": 13,
}
"""A list reads each of its index keys once, all at the same time; most operations write an audit entry."""


@pytest.mark.parametrize("operation", MAX_AWS_CALLS)
def test_a_read_makes_few_aws_calls(site: Site, biden: str, alert: dict[str, Any], operation: str):
    paths = {
        "list-models": "models",
        "get-openapi": "openapi.json",
        "list-drops": "drops",
        "get-rules": "rules",
        "get-drop": f"drops/{alert['drop']}",
        "get-person": f"people/{biden}",
        "list-people": "people",
        "get-alert": f"alerts/{alert['id']}",
        "list-alerts": "alerts",
        "list-sightings": f"sightings?person={biden}",
        "get-status": "status",
    }

    for _ in range(3):  # of these, one may fetch permits for the next twenty, one looks for the log's end
        assert site.request("GET", f"/v1/{paths[operation]}").status == 200

    assert min(_aws_calls_of(site, operation)) <= MAX_AWS_CALLS[operation]


def _aws_calls_of(site: Site, operation: str) -> list[int]:
    lines = (json.loads(line) for line in site.running.logs("APIHandler") if '"aws_calls"' in line)
    return [line["aws_calls"] for line in lines if line["operation"] == operation]
