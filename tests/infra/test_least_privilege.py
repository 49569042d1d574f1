"""Each function has only the permissions that it needs."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra.conftest import Template, resources_of_type

FUNCTION, ROLE = "AWS::Serverless::Function", "AWS::IAM::Role"
TRAINING = "TrainingRole"
"""The role of training jobs."""

NO_RESOURCE_LEVEL = {
    "cloudwatch:PutMetricData": "CloudWatch metrics have no ARNs",
    "cloudwatch:GetMetricData": "CloudWatch metrics have no ARNs",
    "cloudwatch:DescribeAlarms": "CloudWatch returns composite alarms for all resources or not at all",
    "lambda:ListEventSourceMappings": "Lambda grants the list of mappings for all functions only",
    "ecr:GetAuthorizationToken": "a registry's token is for the whole account",
    "xray:PutTraceSegments": "X-Ray traces have no ARNs",
}
"""Actions without resource-level permissions, with the reason."""


def test_every_function_has_a_role_of_its_own(template: Template):
    roles = [function["Role"]["Fn::GetAtt"][0] for function in resources_of_type(template, FUNCTION).values()]

    assert len(roles) == len(set(roles))
    assert set(roles) == set(resources_of_type(template, ROLE)) - {TRAINING}


def test_roles_can_be_assumed_by_their_service_only(template: Template):
    for name, role in resources_of_type(template, ROLE).items():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]

        service = "sagemaker" if name == TRAINING else "lambda"
        assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}


def test_no_action_is_a_wildcard(template: Template):
    wild = [(role, action) for role, _, action, _ in _grants(template) if "*" in action]

    assert wild == []


def test_no_resource_is_a_wildcard(template: Template):
    wild = [
        (role, action)
        for role, _, action, resource in _grants(template)
        if resource == "*" and action not in NO_RESOURCE_LEVEL
    ]

    assert wild == []


def test_resources_are_references_to_the_template(template: Template):
    """A literal ARN would tie the stack to one account and region."""
    literal = [(role, resource) for role, _, _, resource in _grants(template) if isinstance(resource, str)]

    assert [grant for grant in literal if grant[1] != "*"] == []


@pytest.mark.parametrize(
    "action", ["s3:DeleteObject", "dynamodb:DeleteItem", "dynamodb:Scan", "iam:PassRole"]
)
def test_the_photo_path_has_no_permission_to_delete(template: Template, action: str):
    holders = {role for role, _, granted, _ in _grants(template) if granted == action}

    assert holders & {"LiveRole", "BulkRole", "PublishRole", "PredictRole", "AuthorizerRole"} == set()


def test_the_api_deletes_only_idempotency_records_old_names_and_dead_letters(template: Template):
    deleting = {
        (sid, action)
        for role, sid, action, _ in _grants(template)
        if role == "ApiHandlerRole" and ("Delete" in action or "Scan" in action)
    }

    assert deleting == {
        ("Callers", "dynamodb:DeleteItem"),
        ("FormerNames", "dynamodb:DeleteItem"),
        ("DeadLetters", "sqs:DeleteMessage"),
    }


def test_audit_entries_cannot_be_changed_or_deleted(template: Template):
    granted = {action for _, sid, action, _ in _grants(template) if sid == "Audit"}

    assert granted == {"dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:Query"}


def test_nobody_deletes_or_overwrites_an_audit_checkpoint(template: Template):
    policy = template["Resources"]["StorePolicy"]["Properties"]["PolicyDocument"]
    denied = [
        one for one in policy["Statement"] if one["Effect"] == "Deny" and "audit/*" in str(one["Resource"])
    ]

    unconditional = {action for one in denied if "Condition" not in one for action in _listed(one["Action"])}
    assert {"s3:DeleteObject", "s3:DeleteObjectVersion"} <= unconditional
    assert [one["Condition"] for one in denied if one["Action"] == "s3:PutObject"] == [
        {"ArnNotEquals": {"aws:PrincipalArn": {"Fn::GetAtt": ["AuditCheckpointRole", "Arn"]}}},
        {"Null": {"s3:if-none-match": "true"}},
    ]


def test_a_role_that_reads_objects_may_list_their_bucket(template: Template):
    """Otherwise S3 answers 403 for an object that does not exist, which looks like a failure."""
    grants = list(_grants(template))
    readers = {
        (role, re.findall(r"\$\{(\w+)\.Arn\}", resource["Fn::Sub"])[0])
        for role, _, action, resource in grants
        if action == "s3:GetObject" and role != TRAINING
    }
    listers = {
        (role, resource["Fn::GetAtt"][0])
        for role, _, action, resource in grants
        if action == "s3:ListBucket" and not _conditions(template, role, "s3:ListBucket")
    }

    assert readers - listers == set()


def test_every_function_writes_to_its_own_log_group_only(template: Template):
    for name, function in resources_of_type(template, FUNCTION).items():
        role = function["Role"]["Fn::GetAtt"][0]
        logs = [
            r for holder, _, action, r in _grants(template) if holder == role and action.startswith("logs:")
        ]

        own = f"/aws/lambda/{function['FunctionName']['Fn::Sub']}:"
        assert logs, name
        assert all(own in resource["Fn::Sub"] for resource in logs), name


def _conditions(template: Template, role: str, action: str) -> list[Any]:
    """The conditions under which a role has an action."""
    return [
        statement["Condition"]
        for policy in resources_of_type(template, ROLE)[role]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if action in _listed(statement["Action"]) and "Condition" in statement
    ]


def _grants(template: Template) -> Iterator[tuple[str, str, str, Any]]:
    """Yield every allowed (role, sid, action, resource)."""
    for name, role in resources_of_type(template, ROLE).items():
        for policy in role["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                if statement["Effect"] == "Allow":
                    for action in _listed(statement["Action"]):
                        for resource in _listed(statement["Resource"]):
                            yield name, statement.get("Sid", ""), action, resource


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
