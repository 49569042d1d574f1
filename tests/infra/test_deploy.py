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
from infra.deploy.artefacts import ArtefactBucket, content_digest, ensure_bucket, upload_artefacts
from infra.deploy.checks import DeployError
from infra.deploy.deploy import DeployRequest, ResourceChange, Stack, deploy_stack
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


def test_a_change_set_without_changes_is_no_error():
    cloudformation = _FailingCloudFormation([], reason="The submitted information didn't contain changes.")
    stack = Stack(cloudformation, "vigil-dev", sleep=lambda _: None)

    assert stack.create_change_set("change", url="https://x", parameters={}, tags={}) == ()
    assert cloudformation.deleted == ["change"]


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
