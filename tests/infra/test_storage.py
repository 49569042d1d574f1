"""What keeps data keeps it private, for as long as it should, and can get it back."""

from typing import Any

import pytest

from tests.infra.conftest import Template, of_type

BUCKET, TABLE, LOGS = "AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::Logs::LogGroup"
KEPT_FOR_GOOD = {
    "PeopleTable": "people stay enrolled until they are erased",
    "AuditTable": "who looked and who decided must be told for longer than what they looked at",
}


@pytest.fixture(scope="session")
def buckets(template: Template) -> dict[str, dict[str, Any]]:
    return of_type(template, BUCKET)


def test_buckets_are_private(buckets: dict[str, dict[str, Any]]):
    for name, bucket in buckets.items():
        blocked = bucket["PublicAccessBlockConfiguration"]

        assert len(blocked) == 4, name
        assert all(blocked.values()), name
        assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}], name


def test_buckets_are_versioned_encrypted_and_tidied(buckets: dict[str, dict[str, Any]]):
    for name, bucket in buckets.items():
        rules = bucket["LifecycleConfiguration"]["Rules"]

        assert bucket["VersioningConfiguration"]["Status"] == "Enabled", name
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"], name
        assert any("NoncurrentVersionExpiration" in rule for rule in rules), name
        assert any("AbortIncompleteMultipartUpload" in rule for rule in rules), name


def test_buckets_speak_tls_alone(template: Template, buckets: dict[str, dict[str, Any]]):
    policies = of_type(template, "AWS::S3::BucketPolicy").values()
    secured = {policy["Bucket"]["Ref"] for policy in policies if any(map(_is_tls_only, _statements(policy)))}

    assert secured == set(buckets)


def test_tables_can_be_restored_and_are_encrypted(template: Template):
    for name, table in of_type(template, TABLE).items():
        assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], name
        assert table["SSESpecification"]["SSEEnabled"], name


def test_tables_forget_unless_there_is_a_reason_to_remember(template: Template):
    forgetting = {n for n, table in of_type(template, TABLE).items() if "TimeToLiveSpecification" in table}

    assert forgetting | set(KEPT_FOR_GOOD) == set(of_type(template, TABLE))


def test_what_keeps_data_outlives_its_stack(template: Template):
    for name, resource in template["Resources"].items():
        if resource["Type"] in {BUCKET, TABLE}:
            kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
            assert {word: resource.get(word) for word in kept} == kept, name


def test_every_function_has_a_log_that_ends(template: Template):
    logs = {group["LogGroupName"]["Fn::Sub"]: group for group in of_type(template, LOGS).values()}
    functions = of_type(template, "AWS::Serverless::Function").values()

    assert {f"/aws/lambda/{function['FunctionName']['Fn::Sub']}" for function in functions} <= set(logs)
    assert all(group["RetentionInDays"] > 0 for group in logs.values())


def _statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return statements


def _is_tls_only(statement: dict[str, Any]) -> bool:
    refused = (
        statement["Effect"] == "Deny" and statement["Principal"] == "*" and statement["Action"] == "s3:*"
    )
    return bool(refused and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}})
