"""Whatever is sent, the API answers as its own description says."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi import checks

from functions.api.openapi import openapi_document
from functions.api.routes import DOCUMENTED_OPERATIONS
from tests.e2e.api.conftest import Site

EXAMPLES = 20
"""An operation: the whole stays below a minute."""

EXCLUDED_PATHS = r"pause|resume|backfill|reconcile"
"""They stop or start work that other tests here wait for."""


def document_without_cursors() -> dict[str, Any]:
    """The description, but for tokens, which are added below, and cursors: one that was not handed out is
    refused, whatever it looks like."""
    told = openapi_document(DOCUMENTED_OPERATIONS) | {"security": []}
    for operations in told["paths"].values():
        for one in operations.values():
            one["parameters"] = [each for each in one["parameters"] if each["name"] != "cursor"]
    return told


CONFIG = schemathesis.Config.from_dict(
    {
        "checks": {
            "positive_data_acceptance": {
                "expected-statuses": ["2xx", "401", "403", "404", "409", "422", "429"]
            },
            "negative_data_rejection": {
                "expected-statuses": ["400", "401", "403", "404", "409", "413", "415", "422", "429"]
            },
        }
    }
)
"""422: what the shape cannot tell, such as a watch file that cannot be meant; 413: too long a body."""

schema = schemathesis.openapi.from_dict(document_without_cursors(), config=CONFIG).exclude(
    path_regex=EXCLUDED_PATHS
)


@pytest.mark.usefixtures("rules")
@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_described(case: "schemathesis.Case[Any]", site: Site):
    if "wait" in (case.query or {}):
        case.query["wait"] = 0
    case.call_and_validate(
        base_url=site.url,
        headers={"Authorization": f"Bearer {site.token('admin')}"},
        excluded_checks=[
            # tokens that are left out or changed: test_access
            checks.ignored_auth,
            # API Gateway knows no 405: a method that there is not is as a path that there is not
            checks.unsupported_method,
        ],
        timeout=30,
    )
