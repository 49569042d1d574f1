"""What `Ref`, `GetAtt` and the pseudo parameters of a template stand for in this cloud.

Names and ARNs follow from the template alone, so nothing has to be created before it can be referred to;
only a table's stream gets its ARN when the table is made, and one that is not there yet is called pending.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.local.cloudformation.intrinsics import NO_VALUE, NameLookup, Resolver
from infra.local.cloudformation.template import Resource, Template
from infra.local.errors import InvalidTemplate, UnsupportedFeature


@dataclass(frozen=True, slots=True)
class AwsLocation:
    """Where the cloud is: the parts of every ARN, and the address of everything that is not compute."""

    endpoint: str
    account: str = "123456789012"
    region: str = "us-east-1"
    stack: str = "local"

    def arn(self, service: str, rest: str) -> str:
        """An ARN in this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"

    def queue_url_of_arn(self, queue_arn: str) -> str:
        """Where moto keeps the queue of this ARN."""
        return self.queue_url(queue_arn.rsplit(":", maxsplit=1)[-1])

    def queue_url(self, name: str) -> str:
        """Where moto keeps the queue of this name."""
        return f"{self.endpoint}/{self.account}/{name}"


_NAME_PROPERTIES: Mapping[str, str] = {
    "AWS::SQS::Queue": "QueueName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::Events::Rule": "Name",
    "AWS::Events::EventBus": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::SSM::Parameter": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::CompositeAlarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::SageMaker::ModelPackageGroup": "ModelPackageGroupName",
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
    "AWS::Events::EventBus": lambda place, name: place.arn("events", f"event-bus/{name}"),
    "AWS::IAM::Role": lambda place, name: f"arn:aws:iam::{place.account}:role/{name}",
    "AWS::IAM::ManagedPolicy": lambda place, name: f"arn:aws:iam::{place.account}:policy/{name}",
    "AWS::Logs::LogGroup": lambda place, name: place.arn("logs", f"log-group:{name}:*"),
    "AWS::CloudWatch::Alarm": lambda place, name: place.arn("cloudwatch", f"alarm:{name}"),
    "AWS::CloudWatch::CompositeAlarm": lambda place, name: place.arn("cloudwatch", f"alarm:{name}"),
    "AWS::KMS::Key": lambda place, name: place.arn("kms", f"key/{name}"),
    "AWS::SageMaker::ModelPackageGroup": lambda place, name: place.arn(
        "sagemaker", f"model-package-group/{name}"
    ),
}

_REF_IS_ARN = {"AWS::SNS::Topic", "AWS::IAM::ManagedPolicy", "AWS::Lambda::LayerVersion"}


class ResourceNames:
    """The names, ARNs and addresses of one template's resources."""

    def __init__(self, template: Template, location: AwsLocation) -> None:
        self.location = location
        self.stream_arns: dict[str, str] = {}
        self._template = template
        self._names: dict[str, str] = {}
        self.resolver = Resolver(
            NameLookup(self.reference, self.attribute, template.conditions, template.mappings)
        )
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
        """The physical name: the one the template gives, else one made as CloudFormation would."""
        name = self._names.get(resource.logical_id)
        if name is None:
            name = self._names[resource.logical_id] = self._explicit_name(resource) or self._generated_name(
                resource
            )
        return name

    def reference(self, logical: str) -> Any:
        """What `Ref` gives."""
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
        """What `Fn::GetAtt` gives."""
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
        if attribute in ("DomainName", "RegionalDomainName") and resource.type == "AWS::S3::Bucket":
            return f"{name}.s3.amazonaws.com"
        raise UnsupportedFeature(logical, f"the attribute {attribute} of {resource.type}")

    def arn(self, resource: Resource) -> str:
        """The ARN, as AWS writes it for this type."""
        build = _ARN_BUILDERS.get(resource.type)
        if build is None:
            raise UnsupportedFeature(resource.logical_id, f"the ARN of {resource.type}")
        return build(self.location, self.name(resource))

    def _resource(self, logical: str) -> Resource:
        resource = self._template.resources.get(logical)
        if resource is None:
            raise InvalidTemplate(f"nothing in the template is named {logical}")
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
