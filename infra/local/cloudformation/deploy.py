"""Creates the resources of a template in moto, by the API calls that AWS would receive.

moto's own CloudFormation ignores some properties silently and loads slowly.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from infra.local.clients import AwsClients
from infra.local.cloudformation.names import ResourceNames
from infra.local.cloudformation.template import Resource, Template, unsupported_features
from infra.local.errors import LocalCloudError

_TABLE_PROPERTIES = (
    "KeySchema",
    "AttributeDefinitions",
    "BillingMode",
    "DeletionProtectionEnabled",
)
_QUEUE_PROPERTIES = ("VisibilityTimeout", "MessageRetentionPeriod")
_INDEX_PROPERTIES = ("IndexName", "KeySchema", "Projection")


def create_bucket(clients: AwsClients, name: str, properties: Mapping[str, Any]) -> None:
    """Create a bucket without its notifications, whose queues may not exist yet."""
    s3 = clients.get("s3")
    s3.create_bucket(Bucket=name)
    if "VersioningConfiguration" in properties:
        s3.put_bucket_versioning(
            Bucket=name, VersioningConfiguration=dict(properties["VersioningConfiguration"])
        )


def set_bucket_notifications(clients: AwsClients, name: str, properties: Mapping[str, Any]) -> None:
    """Set the notifications of a bucket; like AWS, moto then sends a test event."""
    declared = properties.get("NotificationConfiguration", {}).get("QueueConfigurations", [])
    if declared:
        configuration = {"QueueConfigurations": [_queue_notification(one) for one in declared]}
        clients.get("s3").put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration=configuration
        )


def _queue_notification(declared: Mapping[str, Any]) -> dict[str, Any]:
    rules = declared.get("Filter", {}).get("S3Key", {}).get("Rules", [])
    configuration: dict[str, Any] = {"QueueArn": declared["Queue"], "Events": [declared["Event"]]}
    if rules:
        configuration["Filter"] = {"Key": {"FilterRules": rules}}
    return configuration


def create_table(clients: AwsClients, name: str, properties: Mapping[str, Any]) -> str | None:
    """Create a table; returns the ARN of its stream, if it has one.

    moto stores the time to live but deletes no expired item; on AWS too, deletion may take days.
    """
    dynamodb = clients.get("dynamodb")
    settings = {key: properties[key] for key in _TABLE_PROPERTIES if key in properties}
    indexes = [
        {key: index[key] for key in _INDEX_PROPERTIES if key in index}
        for index in properties.get("GlobalSecondaryIndexes", [])
    ]
    if indexes:
        settings["GlobalSecondaryIndexes"] = indexes
    if "StreamSpecification" in properties:
        settings["StreamSpecification"] = {
            "StreamEnabled": True,
            "StreamViewType": properties["StreamSpecification"]["StreamViewType"],
        }
    description = dynamodb.create_table(TableName=name, **settings)["TableDescription"]
    _set_table_options(dynamodb, name, properties)
    stream: str | None = description.get("LatestStreamArn")
    return stream


def _set_table_options(dynamodb: Any, name: str, properties: Mapping[str, Any]) -> None:
    if "TimeToLiveSpecification" in properties:
        dynamodb.update_time_to_live(
            TableName=name, TimeToLiveSpecification=properties["TimeToLiveSpecification"]
        )
    recovery = properties.get("PointInTimeRecoverySpecification", {})
    if recovery.get("PointInTimeRecoveryEnabled"):
        dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )


def create_queue(clients: AwsClients, name: str, properties: Mapping[str, Any]) -> None:
    """Create a queue without its redrive policy, whose dead-letter queue may not exist yet."""
    clients.get("sqs").create_queue(
        QueueName=name,
        Attributes={key: to_attribute(properties[key]) for key in _QUEUE_PROPERTIES if key in properties},
    )


def set_redrive_policy(clients: AwsClients, url: str, properties: Mapping[str, Any]) -> None:
    """Set the dead-letter queue of a queue."""
    if "RedrivePolicy" in properties:
        clients.get("sqs").set_queue_attributes(
            QueueUrl=url, Attributes={"RedrivePolicy": to_attribute(properties["RedrivePolicy"])}
        )


def set_queue_policy(clients: AwsClients, properties: Mapping[str, Any]) -> None:
    """Set the policy of the queues; moto does not enforce it."""
    for url in properties["Queues"]:
        clients.get("sqs").set_queue_attributes(
            QueueUrl=url, Attributes={"Policy": to_attribute(properties["PolicyDocument"])}
        )


def create_subscription(clients: AwsClients, properties: Mapping[str, Any]) -> None:
    """Subscribe an endpoint; moto delivers to queues and HTTP, and sends no e-mail."""
    clients.get("sns").subscribe(
        TopicArn=properties["TopicArn"], Protocol=properties["Protocol"], Endpoint=properties["Endpoint"]
    )


def to_attribute(value: Any) -> str:
    """Return a property as the string that SQS expects: a number, true, false or JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


class Stack:
    """The resources of a template whose conditions hold, with intrinsic functions evaluated."""

    def __init__(self, template: Template, names: ResourceNames, clients: AwsClients) -> None:
        self.names = names
        self.template = template
        self._clients = clients
        self._resources = [
            resource
            for resource in template.resources.values()
            if resource.condition is None or names.resolver.condition_holds(resource.condition)
        ]

    def validate(self) -> None:
        """Raise one error for everything that is not supported."""
        resolved = [self._resolve(resource) for resource in self._resources]
        unsupported = [error for resource in resolved for error in unsupported_features(resource)]
        if len(unsupported) == 1:
            raise unsupported[0]
        if unsupported:
            raise LocalCloudError("\n".join(map(str, unsupported)))

    def create_resources(self) -> None:
        """Create everything but functions: first what is independent, then what refers to it."""
        with ThreadPoolExecutor(6, thread_name_prefix="deploy") as threads:
            self._create_all(threads, _INDEPENDENT)
            self._create_all(threads, _DEPENDENT)

    def resources_of(self, kind: str) -> Iterator[tuple[Resource, dict[str, Any]]]:
        """Yield every resource of a type with its evaluated properties."""
        for resource in self._resources:
            if resource.type == kind:
                yield resource, dict(self._resolve(resource).properties)

    def outputs(self) -> dict[str, Any]:
        """Return the values of the template's outputs."""
        resolver = self.names.resolver
        return {
            name: resolver.resolve(body["Value"])
            for name, body in self.template.outputs.items()
            if "Condition" not in body or resolver.condition_holds(body["Condition"])
        }

    def _resolve(self, resource: Resource) -> Resource:
        properties = self.names.resolver.resolve(dict(resource.properties))
        return dataclasses.replace(resource, properties=properties)

    def _create_all(self, threads: Executor, creators: Mapping[str, _ResourceCreator]) -> None:
        work = [
            threads.submit(make, self, self._clients, resource, properties)
            for kind, make in creators.items()
            for resource, properties in self.resources_of(kind)
        ]
        for one in work:
            one.result()

    def name(self, resource: Resource) -> str:
        """Return the physical name of a resource."""
        return self.names.name(resource)


_ResourceCreator = Callable[[Stack, AwsClients, Resource, dict[str, Any]], None]


def _create_table(stack: Stack, clients: AwsClients, resource: Resource, properties: dict[str, Any]) -> None:
    stream = create_table(clients, stack.name(resource), properties)
    if stream:
        stack.names.stream_arns[resource.logical_id] = stream


def _set_redrive(stack: Stack, clients: AwsClients, resource: Resource, properties: dict[str, Any]) -> None:
    set_redrive_policy(clients, stack.names.reference(resource.logical_id), properties)


def _create_signing_key(
    stack: Stack, clients: AwsClients, resource: Resource, properties: dict[str, Any]
) -> None:
    """Create a key for signing under its alias; keys for encryption are not needed."""
    keys = {stack.name(one): body for one, body in stack.resources_of("AWS::KMS::Key")}
    key = keys[properties["TargetKeyId"].rsplit("/", 1)[-1]]
    usage = {name: key.get(name) for name in ("KeyUsage", "KeySpec")}
    if usage["KeyUsage"] in (None, "ENCRYPT_DECRYPT"):
        return
    kms = clients.get("kms")
    key_id = kms.create_key(**usage)["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=stack.name(resource), TargetKeyId=key_id)


_INDEPENDENT: Mapping[str, _ResourceCreator] = {
    "AWS::DynamoDB::Table": _create_table,
    "AWS::S3::Bucket": lambda stack, clients, one, to: create_bucket(clients, stack.name(one), to),
    "AWS::SQS::Queue": lambda stack, clients, one, to: create_queue(clients, stack.name(one), to),
    "AWS::SNS::Topic": lambda stack, clients, one, _: clients.get("sns").create_topic(Name=stack.name(one)),
    "AWS::KMS::Alias": _create_signing_key,
}

_DEPENDENT: Mapping[str, _ResourceCreator] = {
    "AWS::SNS::Subscription": lambda _stack, clients, _one, to: create_subscription(clients, to),
    "AWS::SQS::Queue": _set_redrive,
    "AWS::SQS::QueuePolicy": lambda _stack, clients, _one, to: set_queue_policy(clients, to),
    "AWS::S3::Bucket": lambda stack, clients, one, to: set_bucket_notifications(clients, stack.name(one), to),
}
