"""Generated requests get responses that conform to the OpenAPI document."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi import checks

from functions.api.openapi import openapi_document
from functions.api.routes import DOCUMENTED_OPERATIONS
from tests.e2e.api.conftest import Site

EXAMPLES = 20
"""Requests per operation; all together take less than a minute."""

EXCLUDED_PATHS = r"pause|resume|backfill|reconcile|cameras/"
"""These operations stop or start work on which other tests depend, or cameras that are soon silent."""


def document_without_cursors() -> dict[str, Any]:
    """The document without tokens, which are added below, and without cursors, which cannot be generated."""
    document = openapi_document(DOCUMENTED_OPERATIONS) | {"security": []}
    for operations in document["paths"].values():
        for one in operations.values():
            one["parameters"] = [each for each in one["parameters"] if each["name"] != "cursor"]
    return document


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
"""422: content that the schema cannot describe, such as invalid rules; 413: a body above the limit."""

schema = schemathesis.openapi.from_dict(document_without_cursors(), config=CONFIG).exclude(
    path_regex=EXCLUDED_PATHS
)


@pytest.mark.usefixtures("rules")
@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_responses_conform_to_the_openapi_document(case: "schemathesis.Case[Any]", site: Site):
    if "wait" in (case.query or {}):
        case.query["wait"] = 0
    case.call_and_validate(
        base_url=site.url,
        headers={"Authorization": f"Bearer {site.token('admin')}"},
        excluded_checks=[
            # test_authorization covers missing and invalid tokens
            checks.ignored_auth,
            # test_authorization covers unknown methods
            checks.unsupported_method,
        ],
        timeout=240,
    )
