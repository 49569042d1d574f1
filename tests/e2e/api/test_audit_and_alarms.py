"""The audit log and the alarms over HTTP."""

import json

from functions.api.scheduled import SCHEDULED_EVENT
from tests.e2e.api.conftest import Site


def test_the_pages_of_the_audit_log_contain_every_entry_once_newest_first(site: Site):
    for number in range(8):
        token = site.token("reviewer", subject=f"auditor-{number}")
        assert site.request("GET", "/v1/people", token=token).status == 200
    listed: list[tuple[str, str, int]] = []
    query = "limit=2"
    for _ in range(3):
        page = site.request("GET", f"/v1/audit?{query}").json
        listed += [(one["at"], one["chain"], one["number"]) for one in page["items"]]
        query = f"limit=2&cursor={page['next']}"

    assert len({(chain, number) for _, chain, number in listed}) == len(listed) == 6
    assert [at for at, _, _ in listed] == sorted((at for at, _, _ in listed), reverse=True)


def test_an_audit_entry_names_caller_operation_and_resource(site: Site, biden: str):
    token = site.token("reviewer", subject="curious")
    site.request("GET", f"/v1/people/{biden}", token=token)

    (entry,) = site.request("GET", "/v1/audit?caller=curious").json["items"]

    assert (entry["role"], entry["operation"]) == ("reviewer", "get-person")
    assert entry["resource_ids"] == {"person": biden}


def test_the_audit_log_is_verified_against_its_signed_checkpoint(site: Site, biden: str):
    site.cloud.client("lambda").invoke(
        FunctionName="vigil-api-audit-checkpoint", Payload=json.dumps(SCHEDULED_EVENT).encode()
    )

    verified = site.request("GET", "/v1/audit/verification").json
    one_chain = site.request("GET", "/v1/audit/verification?chain=0").json

    assert (verified["valid"], verified["breaks"], "checkpoint_at" in verified) == (True, [], True)
    assert verified["entries"] > one_chain["entries"]


def test_alarms_are_listed_with_their_state_and_run_book_section(site: Site):
    alarms = {one["name"]: one for one in site.request("GET", "/v1/alarms").json["items"]}

    alarm = alarms["live-dead-letters"]
    assert alarm["state"] in ("OK", "ALARM", "INSUFFICIENT_DATA")
    assert alarm["runbook"].startswith("docs/operations.md#")
    assert "docs/operations.md" not in alarm["description"]
