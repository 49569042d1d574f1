"""Deployment on moto: the bucket, the artefacts and the change set."""

import copy
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from infra.deploy import checks
from infra.deploy.artefacts import (
    ArtefactBucket,
    content_digest,
    ensure_bucket,
    upload_artefacts,
    upload_template,
)
from infra.deploy.checks import DeployError
from infra.deploy.deploy import DeployRequest, ResourceChange, Stack, deploy_stack, effective_parameters
from tests.infra.conftest import Template, resources_of_type, translate

ACCOUNT, REGION = "123456789012", "eu-west-1"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
QUEUE_TEMPLATE = {
    "Parameters": {"Stage": {"Type": "String"}, "Days": {"Type": "Number", "Default": 4}},
    "Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "q-${Stage}"}}}},
    "Outputs": {"QueueUrl": {"Value": {"Ref": "Q"}}},
}


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    # moto applies a Deny without its condition
    monkeypatch.setattr(FakeBucket, "get_permission", lambda *_: PermissionResult.NEUTRAL)
    with mock_aws():
        yield boto3.Session(region_name=REGION)


@pytest.fixture
def artefact_bucket(session: boto3.Session) -> ArtefactBucket:
    s3 = session.client("s3")
    return ArtefactBucket(s3, ensure_bucket(s3, account=ACCOUNT, region=REGION), ACCOUNT, _ignore_progress)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "layers" / "models" / "m").mkdir(parents=True)
    (tmp_path / "layers" / "models" / "m" / "card.toml").write_text("name = 'm'")
    (tmp_path / "deployment.zip").write_bytes(b"code")
    (tmp_path / "sam.json").write_text(json.dumps(QUEUE_TEMPLATE))
    return tmp_path


def test_the_bucket_is_private_versioned_encrypted_and_tls_only(artefact_bucket: ArtefactBucket):
    s3, name = artefact_bucket.s3, artefact_bucket.bucket

    assert all(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_bucket_is_created_once(artefact_bucket: ArtefactBucket):
    again = ensure_bucket(artefact_bucket.s3, account=ACCOUNT, region=REGION)

    assert [bucket["Name"] for bucket in artefact_bucket.s3.list_buckets()["Buckets"]] == [again]


def test_artefacts_are_uploaded_once_under_the_hash_of_their_contents(
    artefact_bucket: ArtefactBucket, folder: Path, template: Template
):
    messages: list[str] = []
    reporting = ArtefactBucket(artefact_bucket.s3, artefact_bucket.bucket, ACCOUNT, messages.append)
    small = _subset(template, {"Live", "Publish", "ModelsLayer"})

    first = upload_artefacts(small, folder, reporting)
    message_count = len(messages)
    second = upload_artefacts(small, folder, reporting)

    code = first["Resources"]["Live"]["Properties"]["CodeUri"]
    assert code == {
        "Bucket": artefact_bucket.bucket,
        "Key": f"deployment/{content_digest(folder / 'deployment.zip')}.zip",
    }
    assert first["Resources"]["Publish"]["Properties"]["CodeUri"] == code
    assert (first, len(messages)) == (second, message_count)
    assert len(artefact_bucket.s3.list_objects_v2(Bucket=artefact_bucket.bucket)["Contents"]) == 2


def test_every_artefact_of_the_template_is_on_s3(
    artefact_bucket: ArtefactBucket, folder: Path, template: Template
):
    (folder / "layers" / "runtime").mkdir()

    plain = translate(upload_artefacts(copy.deepcopy(template), folder, artefact_bucket))

    held = {
        found["Key"]
        for found in artefact_bucket.s3.list_objects_v2(Bucket=artefact_bucket.bucket)["Contents"]
    }
    code = [function["Code"] for function in resources_of_type(plain, "AWS::Lambda::Function").values()]
    layers = [layer["Content"] for layer in resources_of_type(plain, "AWS::Lambda::LayerVersion").values()]
    assert {place["S3Bucket"] for place in (*code, *layers)} == {artefact_bucket.bucket}
    assert {place["S3Key"] for place in (*code, *layers)} == held


def test_the_key_of_a_layer_follows_its_names_and_bytes(folder: Path):
    models = folder / "layers" / "models"
    before = content_digest(models)

    (models / "m" / "card.toml").rename(models / "m" / "other.toml")

    assert content_digest(models) != before


def test_a_deploy_creates_the_resources_of_the_template(session: boto3.Session, folder: Path):
    outputs = _deploy(session, folder, _confirm)

    assert outputs is not None
    (url,) = session.client("sqs").list_queues()["QueueUrls"]
    assert url.endswith("/q-dev")


def test_the_outputs_of_a_stack_are_read_by_name(session: boto3.Session):
    """moto computes no outputs of a stack that was created by a change set."""
    cloudformation = session.client("cloudformation")
    stage = [{"ParameterKey": "Stage", "ParameterValue": "dev"}]
    cloudformation.create_stack(
        StackName="vigil-dev", TemplateBody=json.dumps(QUEUE_TEMPLATE), Parameters=stage
    )

    outputs = Stack(cloudformation, "vigil-dev").read_outputs()

    assert set(outputs) == {"QueueUrl"}
    assert outputs["QueueUrl"].endswith("/q-dev")


def test_the_changes_are_shown_before_anything_happens(session: boto3.Session, folder: Path):
    shown: list[tuple[ResourceChange, ...]] = []

    _deploy(session, folder, shown.append)

    assert shown == [(ResourceChange("Add", "Q", "AWS::SQS::Queue", ""),)]


def test_nothing_changes_when_the_answer_is_no(session: boto3.Session, folder: Path):
    outputs = _deploy(session, folder, lambda _: False)

    assert outputs is None
    assert session.client("sqs").list_queues().get("QueueUrls", []) == []


def test_a_parameter_set_once_is_kept_at_the_next_deploy(session: boto3.Session, folder: Path):
    _deploy(session, folder, _confirm, {"Days": "9"})
    (folder / "sam.json").write_text(json.dumps({**QUEUE_TEMPLATE, "Description": "changed"}))

    _deploy(session, folder, _confirm)

    stack = session.client("cloudformation").describe_stacks(StackName="vigil-dev")["Stacks"][0]
    parameters = {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack["Parameters"]}
    assert parameters == {"Stage": "dev", "Days": "9"}
    assert {"Key": "release", "Value": "v1"} in stack["Tags"]


def test_a_failed_deploy_reports_the_first_reason_not_the_cancellations():
    events = [
        _event("Stack", "UPDATE_ROLLBACK_COMPLETE", 9),
        _event("Other", "CREATE_FAILED", 4, "Resource creation cancelled"),
        _event("Bucket", "CREATE_FAILED", 3, "The name is taken"),
        _event("Old", "CREATE_FAILED", 0, "A failure of last week"),
    ]
    stack = Stack(_FailingCloudFormation(events), "vigil-dev", sleep=lambda _: None)

    with pytest.raises(DeployError, match="UPDATE_ROLLBACK_COMPLETE: Bucket: The name is taken"):
        list(stack.execute_change_set("change"))


class StrictCloudFormation:
    """CloudFormation's rules about failed creations and about resources that exist already.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
    """

    def __init__(self, *, failing: bool) -> None:
        self.failing, self.status, self.resources = failing, "", set[str]()
        self.in_account: set[str] = set()
        self._change_set: dict[str, Any] = {}
        self._events: list[dict[str, Any]] = []

    def describe_stacks(self, **_: Any) -> dict[str, Any]:
        if not self.status:
            raise ClientError({"Error": {"Code": "V", "Message": "stack does not exist"}}, "DescribeStacks")
        return {"Stacks": [{"StackStatus": self.status}]}

    def create_change_set(self, **words: Any) -> None:
        if self.status.startswith("ROLLBACK"):
            raise ClientError({"Error": {"Code": "V", "Message": self.status}}, "CreateChangeSet")
        assert words["ChangeSetType"] == ("UPDATE" if self.status else "CREATE")
        self._change_set = words

    def execute_change_set(self, **_: Any) -> None:
        preserves = self._change_set.get("OnStackFailure") == "DO_NOTHING"
        foreign = self.in_account - self.resources
        taken = bool(foreign) and not self._change_set.get("ImportExistingResources")
        self.in_account.add("vigil-dev-records")
        self.resources.add("vigil-dev-records")
        if self.failing or taken:
            reason = "already exists" if taken else "concurrency"
            self._events.insert(0, _event("Records", "CREATE_FAILED", len(self._events) + 1, reason))
            self.status = "CREATE_FAILED" if preserves else "ROLLBACK_COMPLETE"
        else:
            self.status = "UPDATE_COMPLETE" if self.status else "CREATE_COMPLETE"
            self._events.insert(0, _event("Stack", self.status, len(self._events) + 1))

    def delete_stack(self) -> None:
        """What has the deletion policy Retain stays in the account."""
        self.status, self.resources = "", set()

    def describe_stack_events(self, **_: Any) -> dict[str, Any]:
        return {"StackEvents": self._events}

    def get_paginator(self, name: str) -> Any:
        change = {"Action": "Add", "LogicalResourceId": "Records", "ResourceType": "T"}
        page = {"Status": "CREATE_COMPLETE", "Changes": [{"ResourceChange": change}]}
        return _Pages(page | {"StackEvents": self._events})


def deploy_to(cloudformation: StrictCloudFormation) -> None:
    stack = Stack(cloudformation, "vigil-dev", sleep=lambda _: None)
    stack.create_change_set("change", url="https://x", parameters={}, tags={})
    list(stack.execute_change_set("change"))


def test_a_first_deployment_that_failed_is_repeated_by_the_same_command():
    cloudformation = StrictCloudFormation(failing=True)

    with pytest.raises(
        DeployError, match=r"CREATE_FAILED: Records: concurrency\. Remove the cause and deploy"
    ):
        deploy_to(cloudformation)
    cloudformation.failing = False
    deploy_to(cloudformation)

    assert cloudformation.status == "UPDATE_COMPLETE"


def test_the_data_that_a_deleted_stack_left_become_part_of_the_next_one():
    cloudformation = StrictCloudFormation(failing=False)
    deploy_to(cloudformation)
    cloudformation.delete_stack()

    deploy_to(cloudformation)

    assert cloudformation.status == "CREATE_COMPLETE"
    assert cloudformation.resources == {"vigil-dev-records"}


def test_a_stack_that_was_rolled_back_is_deleted_first():
    cloudformation = StrictCloudFormation(failing=False)
    cloudformation.status = "ROLLBACK_COMPLETE"

    with pytest.raises(DeployError, match="delete the stack, then deploy again; data are adopted"):
        deploy_to(cloudformation)


def test_the_keys_of_a_deleted_stack_are_used_again(session: boto3.Session):
    kms = session.client("kms")
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/vigil-dev", TargetKeyId=key["KeyId"])

    assert checks.existing_keys(kms, "dev") == {"KeyArn": key["Arn"]}
    assert checks.existing_keys(kms, "prod") == {}

    kms.schedule_key_deletion(KeyId=key["KeyId"])
    with pytest.raises(DeployError, match="PendingDeletion"):
        checks.existing_keys(kms, "dev")


def test_a_change_set_without_changes_is_no_error():
    cloudformation = _FailingCloudFormation([], reason="The submitted information didn't contain changes.")
    stack = Stack(cloudformation, "vigil-dev", sleep=lambda _: None)

    assert stack.create_change_set("change", url="https://x", parameters={}, tags={}) == ()
    assert cloudformation.deleted == ["change"]


class LambdaQuotas:
    """Lambda's answers about the concurrency of an account."""

    def __init__(self, limit: int, reserved: dict[str, int] | None = None) -> None:
        self._limit, self._reserved = limit, reserved or {}

    def get_account_settings(self) -> dict[str, Any]:
        unreserved = self._limit - sum(self._reserved.values())
        return {
            "AccountLimit": {
                "ConcurrentExecutions": self._limit,
                "UnreservedConcurrentExecutions": unreserved,
            }
        }

    def get_function_concurrency(self, FunctionName: str) -> dict[str, int]:  # noqa: N803 - the name of AWS
        if FunctionName not in self._reserved:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetFunctionConcurrency")
        return {"ReservedConcurrentExecutions": self._reserved[FunctionName]}


def test_a_reservation_that_a_young_account_cannot_make_is_refused_before_anything_is_uploaded():
    with pytest.raises(
        DeployError, match="PredictConcurrency=4 would leave 6 of this account's 10 concurrent"
    ):
        checks.check_concurrency(LambdaQuotas(10), "dev", {"PredictConcurrency": "4", "Workers": "12"})


def test_workers_that_exceed_the_concurrency_of_the_account_are_reported():
    (warning,) = checks.check_concurrency(LambdaQuotas(10), "dev", {"Workers": "12"})

    assert "Workers=12 do not fit: 10 functions can run at once" in warning
    assert "Service Quotas" in warning


def test_a_reservation_that_the_stack_already_has_is_not_counted_twice():
    quotas = LambdaQuotas(200, {"vigil-dev-predict": 90, "other": 5})

    assert checks.check_concurrency(quotas, "dev", {"PredictConcurrency": "95", "Workers": "12"}) == ()


def test_a_parameter_is_the_requested_one_or_that_of_the_stack_or_the_default(
    session: boto3.Session, folder: Path
):
    _deploy(session, folder, _confirm, {"Days": "9"})
    cloudformation = session.client("cloudformation")

    kept = effective_parameters(DeployRequest(folder, "v1", "dev", ACCOUNT, {}), cloudformation)
    other = effective_parameters(DeployRequest(folder, "v1", "new", ACCOUNT, {}), cloudformation)

    assert (kept["Days"], other["Days"]) == ("9", "4")


def test_a_bucket_in_another_partition_has_its_arns_and_domain():
    class S3:
        meta = boto3.client("s3", "cn-north-1").meta

        def __getattr__(self, name: str) -> Any:
            return lambda **words: policies.append(words["Policy"]) if "Policy" in words else None

    policies: list[str] = []
    bucket = ensure_bucket(S3(), account=ACCOUNT, region="cn-north-1")

    assert f"arn:aws-cn:s3:::{bucket}/*" in policies[0]
    url = upload_template(QUEUE_TEMPLATE, ArtefactBucket(S3(), bucket, ACCOUNT, _ignore_progress))
    assert url.startswith(f"https://{bucket}.s3.cn-north-1.amazonaws.com.cn/template/")


def test_without_credentials_the_error_explains_how_to_sign_in():
    class Sts:
        def get_caller_identity(self) -> dict[str, str]:
            raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "expired"}}, "GetCallerIdentity")

    with pytest.raises(DeployError, match="aws sso login"):
        checks.account_id(Sts())


def test_only_a_tag_of_a_clean_tree_is_a_release(tmp_path: Path):
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    with pytest.raises(DeployError, match="no tag"):
        checks.release_tag(tmp_path)

    _git(tmp_path, "tag", "v1")
    assert checks.release_tag(tmp_path) == "v1"

    (tmp_path / "new.py").write_text("")
    with pytest.raises(DeployError, match="has changes"):
        checks.release_tag(tmp_path)


@pytest.mark.parametrize("stage", ["", "Prod", "a-b", "1st", "x" * 13])
def test_a_stage_that_does_not_fit_into_names_is_refused(stage: str):
    with pytest.raises(DeployError, match="not a stage name"):
        checks.check_stage_name(stage)


class _FailingCloudFormation:
    """Cases that moto lacks: a failing update, and a change set without changes."""

    def __init__(self, events: list[dict[str, Any]], reason: str = "") -> None:
        self._events = events
        self._reason = reason
        self._executed = False
        self.deleted: list[str] = []

    def describe_stacks(self, **_: Any) -> dict[str, Any]:
        status = "UPDATE_ROLLBACK_COMPLETE" if self._executed else "UPDATE_COMPLETE"
        return {"Stacks": [{"StackStatus": status}]}

    def describe_stack_events(self, **_: Any) -> dict[str, Any]:
        return {"StackEvents": self._events if self._executed else self._events[-1:]}

    def create_change_set(self, **_: Any) -> None: ...

    def execute_change_set(self, **_: Any) -> None:
        self._executed = True

    def delete_change_set(self, **words: Any) -> None:
        self.deleted.append(words["ChangeSetName"])

    def get_paginator(self, name: str) -> Any:
        return _Pages({"Status": "FAILED", "StatusReason": self._reason, "StackEvents": self._events})


class _Pages:
    def __init__(self, page: dict[str, Any]) -> None:
        self._page = page

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [self._page]


def _event(resource: str, status: str, minute: int, reason: str = "") -> dict[str, Any]:
    at = NOW.replace(minute=minute)
    return {
        "LogicalResourceId": resource,
        "ResourceStatus": status,
        "Timestamp": at,
        "ResourceStatusReason": reason,
    }


def _deploy(
    session: boto3.Session, folder: Path, confirm: Any, parameters: Any = None
) -> dict[str, str] | None:
    request = DeployRequest(folder, "v1", "dev", ACCOUNT, parameters or {})
    return deploy_stack(request, session, confirm=confirm, on_progress=_ignore_progress, now=NOW)


def _subset(template: Template, names: set[str]) -> Template:
    return {"Resources": {name: template["Resources"][name] for name in names}}


def _git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True)


def _confirm(_: object) -> bool:
    return True


def _ignore_progress(_: str) -> None: ...
