"""Intrinsic functions of CloudFormation, and the names and ARNs that they refer to.

Names and ARNs follow from the template alone, so references work before anything is created; only the ARN of
a table's stream is known after the table was created.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from infra.local.cloudformation.template import Resource, Template
from infra.local.errors import InvalidTemplate, UnsupportedFeature


@dataclass(frozen=True, slots=True)
class AwsLocation:
    """The account, region and stack name in every ARN, and the URL of moto."""

    endpoint: str
    account: str = "123456789012"
    region: str = "us-east-1"
    stack: str = "local"

    def arn(self, service: str, rest: str) -> str:
        """Return an ARN in this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"

    def queue_url_of_arn(self, queue_arn: str) -> str:
        """Return the URL of a queue by its ARN."""
        return self.queue_url(queue_arn.rsplit(":", maxsplit=1)[-1])

    def queue_url(self, name: str) -> str:
        """Return the URL of a queue by its name."""
        return f"{self.endpoint}/{self.account}/{name}"


_NAME_PROPERTIES: Mapping[str, str] = {
    "AWS::SQS::Queue": "QueueName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::CompositeAlarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::ApiGateway::Stage": "StageName",
    "AWS::KMS::Alias": "AliasName",
}

_ARN_BUILDERS: Mapping[str, Callable[[AwsLocation, str], str]] = {
    "AWS::SQS::Queue": lambda place, name: place.arn("sqs", name),
    "AWS::SNS::Topic": lambda place, name: place.arn("sns", name),
    "AWS::S3::Bucket": lambda _place, name: f"arn:aws:s3:::{name}",
    "AWS::DynamoDB::Table": lambda place, name: place.arn("dynamodb", f"table/{name}"),
    "AWS::Lambda::Function": lambda place, name: place.arn("lambda", f"function:{name}"),
    "AWS::Lambda::LayerVersion": lambda place, name: place.arn("lambda", f"layer:{name}:1"),
    "AWS::Events::Rule": lambda place, name: place.arn("events", f"rule/{name}"),
    "AWS::IAM::Role": lambda place, name: f"arn:aws:iam::{place.account}:role/{name}",
    "AWS::Logs::LogGroup": lambda place, name: place.arn("logs", f"log-group:{name}:*"),
    "AWS::CloudWatch::Alarm": lambda place, name: place.arn("cloudwatch", f"alarm:{name}"),
    "AWS::CloudWatch::CompositeAlarm": lambda place, name: place.arn("cloudwatch", f"alarm:{name}"),
    "AWS::KMS::Key": lambda place, name: place.arn("kms", f"key/{name}"),
}

_REF_IS_ARN = {"AWS::SNS::Topic", "AWS::Lambda::LayerVersion"}


NO_VALUE = object()
"""The value of `AWS::NoValue`; keys and list items with it are removed."""

_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]*)\}")


@dataclass(frozen=True, slots=True)
class NameLookup:
    """The values that the names of a template refer to."""

    reference: Callable[[str], Any]
    attribute: Callable[[str, str], Any]
    conditions: Mapping[str, Any]


class Resolver:
    """Evaluates the intrinsic functions in values of a template."""

    def __init__(self, lookup: NameLookup) -> None:
        self._lookup = lookup
        self._functions: Mapping[str, Callable[[Any], Any]] = {
            "Ref": lookup.reference,
            "Condition": self.condition_holds,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::If": self._if,
            "Fn::Equals": self._equals,
            "Fn::And": lambda parts: all(map(self.resolve, parts)),
            "Fn::Or": lambda parts: any(map(self.resolve, parts)),
            "Fn::Not": lambda parts: not self.resolve(parts[0]),
        }

    def resolve(self, value: Any) -> Any:
        """Return plain data for `value`, without keys and items whose value is NO_VALUE."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name in self._functions and not (name == "Condition" and not isinstance(argument, str)):
                return self._functions[name](argument)
            if name.startswith("Fn::"):
                raise UnsupportedFeature("template", f"the intrinsic function {name}")
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def condition_holds(self, condition: str) -> bool:
        """Whether the named condition of the template is true."""
        if condition not in self._lookup.conditions:
            raise InvalidTemplate(f"the template has no condition {condition}")
        return bool(self.resolve(self._lookup.conditions[condition]))

    def _get_att(self, argument: str | list[str]) -> Any:
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        return self._lookup.attribute(parts[0], ".".join(parts[1:]))

    def _sub(self, argument: str | list[Any]) -> str:
        text, variables = (argument, {}) if isinstance(argument, str) else argument
        return _PLACEHOLDER.sub(partial(self._replace_placeholder, variables), text)

    def _replace_placeholder(self, variables: Mapping[str, Any], match: re.Match[str]) -> str:
        literal, name = match.group(1), match.group(2).strip()
        if literal:
            return "${" + name + "}"
        if name in variables:
            return str(self.resolve(variables[name]))
        return str(self._get_att(name) if "." in name else self._lookup.reference(name))

    def _join(self, argument: list[Any]) -> str:
        separator, parts = argument
        return str(separator).join(str(part) for part in self.resolve(parts))

    def _if(self, argument: list[Any]) -> Any:
        condition, yes, no = argument
        return self.resolve(yes if self.condition_holds(condition) else no)

    def _equals(self, argument: list[Any]) -> bool:
        left, right = map(self.resolve, argument)
        return str(left) == str(right)


class ResourceNames:
    """The names, ARNs and URLs of one template's resources."""

    def __init__(self, template: Template, location: AwsLocation) -> None:
        self.location = location
        self.stream_arns: dict[str, str] = {}
        self._template = template
        self._names: dict[str, str] = {}
        self.resolver = Resolver(NameLookup(self.reference, self.attribute, template.conditions))
        self._pseudo: Mapping[str, Any] = {
            "AWS::Region": location.region,
            "AWS::AccountId": location.account,
            "AWS::Partition": "aws",
            "AWS::StackName": location.stack,
            "AWS::StackId": location.arn("cloudformation", f"stack/{location.stack}/local"),
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NotificationARNs": [],
            "AWS::NoValue": NO_VALUE,
        }

    def name(self, resource: Resource) -> str:
        """Return the physical name: the one in the template, else a generated one."""
        name = self._names.get(resource.logical_id)
        if name is None:
            name = self._names[resource.logical_id] = self._explicit_name(resource) or self._generated_name(
                resource
            )
        return name

    def reference(self, logical: str) -> Any:
        """Return the value of `Ref`."""
        if logical in self._pseudo:
            return self._pseudo[logical]
        if logical in self._template.parameters:
            return self._template.parameters[logical]
        resource = self._resource(logical)
        if resource.type == "AWS::SQS::Queue":
            return self.location.queue_url(self.name(resource))
        if resource.type in _REF_IS_ARN:
            return self.arn(resource)
        return self.name(resource)

    def attribute(self, logical: str, attribute: str) -> Any:
        """Return the value of `Fn::GetAtt`."""
        resource = self._resource(logical)
        name = self.name(resource)
        if attribute in ("Arn", "TopicArn", "LayerVersionArn"):
            return self.arn(resource)
        if attribute == "StreamArn":
            return self.stream_arns.get(logical) or f"{self.arn(resource)}/stream/pending"
        if attribute == "QueueUrl":
            return self.location.queue_url(name)
        if attribute in ("QueueName", "TopicName", "Name", "RestApiId"):
            return name
        raise UnsupportedFeature(logical, f"the attribute {attribute} of {resource.type}")

    def arn(self, resource: Resource) -> str:
        """Return the ARN of a resource."""
        build = _ARN_BUILDERS.get(resource.type)
        if build is None:
            raise UnsupportedFeature(resource.logical_id, f"the ARN of {resource.type}")
        return build(self.location, self.name(resource))

    def _resource(self, logical: str) -> Resource:
        resource = self._template.resources.get(logical)
        if resource is None:
            raise InvalidTemplate(f"the template has no resource or parameter {logical}")
        return resource

    def _explicit_name(self, resource: Resource) -> str | None:
        written = resource.properties.get(_NAME_PROPERTIES.get(resource.type, ""))
        name = None if written is None else self.resolver.resolve(written)
        return None if name is None or name is NO_VALUE else str(name)

    def _generated_name(self, resource: Resource) -> str:
        digest = hashlib.sha256(f"{self.location.stack}/{resource.logical_id}".encode()).hexdigest()
        if resource.type == "AWS::ApiGateway::RestApi":
            return digest[:10]
        if resource.type == "AWS::S3::Bucket":
            return f"{self.location.stack}-{resource.logical_id}-{digest[:8]}".lower()
        if resource.type == "AWS::Lambda::Function":
            return f"{self.location.stack}-{resource.logical_id}"
        return f"{self.location.stack}-{resource.logical_id}-{digest[:8]}"
