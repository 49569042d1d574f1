"""The packaged template: queues, stored data, logs, and the findings of cfn-lint and checkov."""

import json
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint

from tests.infra.conftest import Template, resources_of_type

FUNCTION, QUEUE = "AWS::Serverless::Function", "AWS::SQS::Queue"


@pytest.fixture(scope="session")
def queues(template: Template) -> dict[str, dict[str, Any]]:
    return resources_of_type(template, QUEUE)


def test_queues_with_a_function_have_a_dead_letter_queue(
    template: Template, queues: dict[str, dict[str, Any]]
):
    for _, event in _sources(template, "SQS"):
        target = queues[event["Queue"]["Fn::GetAtt"][0]]["RedrivePolicy"]["deadLetterTargetArn"]

        assert target["Fn::GetAtt"][0] in queues


def test_queues_are_encrypted(queues: dict[str, dict[str, Any]]):
    for name, queue in queues.items():
        assert queue.get("KmsMasterKeyId") or queue.get("SqsManagedSseEnabled"), name


def test_dead_letters_have_the_longest_retention_of_sqs(queues: dict[str, dict[str, Any]]):
    for name, queue in queues.items():
        if "RedrivePolicy" not in queue:
            assert queue["MessageRetentionPeriod"] == 1_209_600, name


def test_the_visibility_timeout_is_six_times_the_timeout_of_the_function(
    template: Template, queues: dict[str, dict[str, Any]]
):
    for function, event in _sources(template, "SQS"):
        hidden_s = _default(template, queues[event["Queue"]["Fn::GetAtt"][0]]["VisibilityTimeout"])

        assert hidden_s >= 6 * _default(template, function["Timeout"])


def test_event_sources_report_batch_item_failures(template: Template):
    sources = [event for kind in ("SQS", "DynamoDB") for _, event in _sources(template, kind)]

    assert sources
    assert all(event["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for event in sources)


def test_a_discarded_stream_record_goes_to_a_queue(template: Template):
    for _, event in _sources(template, "DynamoDB"):
        assert event["MaximumRetryAttempts"] > 0
        assert event["DestinationConfig"]["OnFailure"]["Type"] == "SQS"


def _sources(template: Template, kind: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return every function with an event source of a kind."""
    return [
        (function, event["Properties"])
        for function in resources_of_type(template, FUNCTION).values()
        for event in function.get("Events", {}).values()
        if event["Type"] == kind
    ]


def _default(template: Template, value: Any) -> int:
    """Return a number, or the default of the parameter that it refers to."""
    return int(template["Parameters"][value["Ref"]]["Default"] if isinstance(value, dict) else value)


def test_functions_reserve_no_concurrency_unless_a_parameter_says_so(template: Template):
    """An account begins with 10 or 50 concurrent executions, and Lambda keeps 100 unreserved."""
    for name, function in resources_of_type(template, FUNCTION).items():
        if reserved := function.get("ReservedConcurrentExecutions"):
            condition, parameter, otherwise = reserved["Fn::If"]
            assert template["Conditions"][condition] == {"Fn::Not": [{"Fn::Equals": [parameter, 0]}]}, name
            assert template["Parameters"][parameter["Ref"]]["Default"] == 0, name
            assert otherwise == {"Ref": "AWS::NoValue"}, name


def test_the_template_accepts_exactly_the_visibility_timeouts_of_six_times_the_timeout(template: Template):
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    choices = {
        name: [str(value) for value in template["Parameters"][name]["AllowedValues"]]
        for name in ("LaneTimeout", "LaneVisibilityTimeout")
    }
    accepted: dict[str, list[str]] = {}
    for rule in template["Rules"].values():
        (assertion,) = rule["Assertions"]
        accepted[rule["RuleCondition"]["Fn::Equals"][1]] = assertion["Assert"]["Fn::Contains"][0]

    assert accepted == {
        timeout: [one for one in choices["LaneVisibilityTimeout"] if int(one) >= 6 * int(timeout)]
        for timeout in choices["LaneTimeout"]
    }
    assert all(accepted.values())


def test_a_shard_of_the_stream_is_published_by_several_batches_at_once(template: Template):
    for _, event in _sources(template, "DynamoDB"):
        assert event["ParallelizationFactor"] > 1


def test_the_api_has_one_stage_with_a_throttle_and_a_deployment_for_each_deploy(translated: Template):
    """SAM adds a second stage unless OpenApiVersion is set, and hashes the API without its parameters."""
    (stage,) = resources_of_type(translated, "AWS::ApiGateway::Stage").values()
    (deployment,) = resources_of_type(translated, "AWS::ApiGateway::Deployment").values()
    (api,) = [one for one in translated["Resources"].values() if one["Type"] == "AWS::ApiGateway::RestApi"]

    assert "StageName" not in deployment
    (throttle,) = stage["MethodSettings"]
    assert (throttle["HttpMethod"], throttle["ResourcePath"]) == ("*", "/*")
    assert throttle["ThrottlingRateLimit"] == {"Ref": "ApiRequestsPerSecond"}
    assert throttle["ThrottlingBurstLimit"] == {"Ref": "ApiBurst"}
    assert api["Properties"]["Body"]["swagger"] == "2.0"


def test_a_changed_parameter_of_the_api_is_deployed(template: Template):
    (api,) = resources_of_type(template, "AWS::Serverless::Api").values()

    assert api["AlwaysDeploy"] is True


def test_no_arn_names_a_partition(template: Template):
    assert "arn:aws" not in json.dumps(template)


def test_pages_of_the_allowed_origin_can_upload_to_the_bucket(buckets: dict[str, dict[str, Any]]):
    condition, cors, otherwise = buckets["PhotosBucket"]["CorsConfiguration"]["Fn::If"]
    (rule,) = cors["CorsRules"]

    assert (condition, otherwise) == ("HasCorsOrigin", {"Ref": "AWS::NoValue"})
    assert rule["AllowedOrigins"] == [{"Ref": "CorsOrigin"}]
    assert set(rule["AllowedMethods"]) == {"GET", "POST"}


def test_the_key_grants_what_each_service_documents(template: Template):
    """S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
    CloudWatch Logs: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    SNS: https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
    """
    policy = resources_of_type(template, "AWS::KMS::Key")["Key"]["KeyPolicy"]
    by_sid = {one["Sid"]: one for one in policy["Statement"]}

    assert "Condition" not in by_sid["Notifications"]
    assert set(by_sid["LogGroups"]["Action"]) == {
        "kms:Encrypt*",
        "kms:Decrypt*",
        "kms:ReEncrypt*",
        "kms:GenerateDataKey*",
        "kms:Describe*",
    }
    assert by_sid["UndeliveredEvents"]["Principal"] == {"Service": "sns.amazonaws.com"}


def test_a_training_job_may_encrypt_its_output_and_its_volume(template: Template):
    """https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html"""
    role = resources_of_type(template, "AWS::IAM::Role")["TrainingRole"]
    granted = {
        action
        for statement in role["Policies"][0]["PolicyDocument"]["Statement"]
        for action in (
            statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        )
    }

    assert {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant"} <= granted


FACES = "FacesTable"
BUCKET, TABLE, LOGS = "AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::Logs::LogGroup"
WITHOUT_EXPIRY = {
    "PeopleTable": "people stay enrolled until they are erased",
    "AuditTable": "audit entries are needed for longer than the data that they are about",
}


@pytest.fixture(scope="session")
def buckets(template: Template) -> dict[str, dict[str, Any]]:
    return resources_of_type(template, BUCKET)


def test_buckets_are_private(buckets: dict[str, dict[str, Any]]):
    for name, bucket in buckets.items():
        blocked = bucket["PublicAccessBlockConfiguration"]

        assert len(blocked) == 4, name
        assert all(blocked.values()), name
        assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}], name


def test_buckets_are_versioned_and_encrypted_and_expire_old_versions(buckets: dict[str, dict[str, Any]]):
    for name, bucket in buckets.items():
        rules = bucket["LifecycleConfiguration"]["Rules"]

        assert bucket["VersioningConfiguration"]["Status"] == "Enabled", name
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"], name
        assert any("NoncurrentVersionExpiration" in rule for rule in rules), name
        assert any("AbortIncompleteMultipartUpload" in rule for rule in rules), name


def test_buckets_accept_only_tls(template: Template, buckets: dict[str, dict[str, Any]]):
    policies = resources_of_type(template, "AWS::S3::BucketPolicy").values()
    secured = {policy["Bucket"]["Ref"] for policy in policies if any(map(_is_tls_only, _statements(policy)))}

    assert secured == set(buckets)


def test_tables_can_be_restored_and_are_encrypted(template: Template):
    for name, table in resources_of_type(template, TABLE).items():
        keeps_backups = "PointInTimeRecoverySpecification" in table
        assert keeps_backups == (name != FACES), "a backup would keep faces that were deleted"
        if keeps_backups:
            assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], name
        assert table["SSESpecification"]["SSEEnabled"], name


def test_tables_expire_rows_unless_there_is_a_reason_not_to(template: Template):
    expiring = {
        n for n, table in resources_of_type(template, TABLE).items() if "TimeToLiveSpecification" in table
    }

    assert expiring | set(WITHOUT_EXPIRY) == set(resources_of_type(template, TABLE))


def test_stored_data_is_retained_when_the_stack_is_deleted(template: Template):
    for name, resource in template["Resources"].items():
        if resource["Type"] in {BUCKET, TABLE}:
            retained = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
            assert {word: resource.get(word) for word in retained} == retained, name


def test_what_outlives_the_stack_can_be_adopted_by_the_next_one(template: Template):
    """CloudFormation adopts resources with names; a key has none, so an alias and a parameter name it.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
    """
    names = {BUCKET: "BucketName", TABLE: "TableName", "AWS::KMS::Alias": "AliasName"}
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::KMS::Key":
            condition = template["Conditions"][resource["Condition"]]
            assert condition == {"Fn::Equals": [{"Ref": f"{name}Arn"}, ""]}, name
            assert template["Resources"][f"{name}Alias"]["DeletionPolicy"] == "Retain", name
        elif resource.get("DeletionPolicy") == "Retain":
            assert names[resource["Type"]] in resource["Properties"], name


def test_no_resource_refers_to_a_key_that_the_stack_may_not_create(template: Template):
    text = json.dumps(template["Resources"])
    for name in ("Key", "MacKey"):
        own = json.dumps({"Fn::GetAtt": [name, "Arn"]})
        choice = json.dumps(
            {"Fn::If": [f"Creates{name}", {"Fn::GetAtt": [name, "Arn"]}, {"Ref": f"{name}Arn"}]}
        )

        assert text.count(own) == text.count(choice) > 0
        assert json.dumps({"Ref": name}) not in text


def test_every_function_has_a_log_group_with_a_retention(template: Template):
    logs = {group["LogGroupName"]["Fn::Sub"]: group for group in resources_of_type(template, LOGS).values()}
    functions = resources_of_type(template, "AWS::Serverless::Function").values()

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


CHECKOV = Path(__file__).resolve().parents[2] / ".venv-scan" / "bin" / "checkov"
Suppressions = dict[str, dict[str, str]]


def test_cfn_lint_finds_nothing(packaged: Path, suppressions: Suppressions):
    found = lint((packaged / "sam.json").read_text())

    assert [str(match) for match in found if match.rule.id not in suppressions["cfn-lint"]] == []


@pytest.mark.skipif(not CHECKOV.exists(), reason="the scanner has its own environment: `make test` builds it")
def test_checkov_finds_only_what_has_a_reason(
    translated: Template, suppressions: Suppressions, tmp_path: Path
):
    plain = tmp_path / "template.json"
    plain.write_text(json.dumps(translated))
    words = ["-f", str(plain), "--framework", "cloudformation", "-o", "json", "--skip-download", "--quiet"]
    answer = subprocess.run([str(CHECKOV), *words], check=False, capture_output=True, text=True)
    report = json.loads(answer.stdout)
    findings = {f"{found['check_id']} {found['resource']}" for found in report["results"]["failed_checks"]}

    known = suppressions["checkov"]
    excused = {finding for finding in findings for pattern in known if fnmatchcase(finding, pattern)}
    stale = [p for p in known if not any(fnmatchcase(finding, p) for finding in findings)]

    assert (sorted(findings - excused), stale, report["summary"]["parsing_errors"]) == ([], [], 0)
    assert report["summary"]["passed"] > 0


def test_the_path_of_a_request_follows_the_address_of_the_api(translated: Template):
    (value,) = translated["Outputs"]["EndpointURL"]["Value"].values()

    assert value.endswith("/api")
