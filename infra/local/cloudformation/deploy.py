"""Buckets and tables of the template, made in moto by the same calls that AWS would get."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from infra.local.clients import AwsClients
from infra.local.cloudformation.names import ResourceNames
from infra.local.cloudformation.supported import unsupported_features
from infra.local.cloudformation.template import Resource, Template
from infra.local.errors import LocalCloudError

_TABLE_PROPERTIES = (
    "KeySchema",
    "AttributeDefinitions",
    "BillingMode",
    "ProvisionedThroughput",
    "LocalSecondaryIndexes",
    "DeletionProtectionEnabled",
    "Tags",
)
_INDEX_PROPERTIES = ("IndexName", "KeySchema", "Projection", "ProvisionedThroughput")


def create_bucket(clients: AwsClients, name: str, properties: Mapping[str, Any]) -> None:
    """Create a bucket, without its notifications: their queues may not exist yet."""
    s3 = clients.get("s3")
    s3.create_bucket(Bucket=name)
    if "VersioningConfiguration" in properties:
        s3.put_bucket_versioning(
            Bucket=name, VersioningConfiguration=dict(properties["VersioningConfiguration"])
        )
    if properties.get("Tags"):
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": properties["Tags"]})


def set_bucket_notifications(clients: AwsClients, name: str, properties: Mapping[str, Any]) -> None:
    """Set the notifications of a bucket; S3 then sends its test event, here as on AWS."""
    declared = properties.get("NotificationConfiguration", {})
    configuration = {
        f"{kind}Configurations": [
            _notification_configuration(kind, one) for one in declared[f"{kind}Configurations"]
        ]
        for kind in ("Queue", "Topic")
        if f"{kind}Configurations" in declared
    }
    if configuration:
        clients.get("s3").put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration=configuration
        )


def _notification_configuration(kind: str, written: Mapping[str, Any]) -> dict[str, Any]:
    rules = written.get("Filter", {}).get("S3Key", {}).get("Rules", [])
    configuration: dict[str, Any] = {f"{kind}Arn": written[kind], "Events": [written["Event"]]}
    if rules:
        configuration["Filter"] = {"Key": {"FilterRules": rules}}
    return configuration


def create_table(clients: AwsClients, name: str, properties: Mapping[str, Any]) -> str | None:
    """Create a table; returns the ARN of its stream, if it has one.

    moto keeps the time to live but deletes nothing by it: on AWS too an item may outlive it by days.
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


# MERGED: Queues, topics and subscriptions of the template, made in moto by the same calls that AWS would get.

_QUEUE_PROPERTIES = (
    "VisibilityTimeout",
    "MessageRetentionPeriod",
    "DelaySeconds",
    "MaximumMessageSize",
    "ReceiveMessageWaitTimeSeconds",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
)
_TOPIC_PROPERTIES = ("DisplayName", "FifoTopic", "ContentBasedDeduplication")


def create_queue(clients: AwsClients, name: str, properties: Mapping[str, Any]) -> None:
    """Create a queue, without its redrive policy: the dead-letter queue may not exist yet."""
    clients.get("sqs").create_queue(
        QueueName=name,
        Attributes={key: to_attribute(properties[key]) for key in _QUEUE_PROPERTIES if key in properties},
        tags={tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])},
    )


def set_redrive_policy(clients: AwsClients, url: str, properties: Mapping[str, Any]) -> None:
    """Connect a queue with its dead-letter queue."""
    if "RedrivePolicy" in properties:
        clients.get("sqs").set_queue_attributes(
            QueueUrl=url, Attributes={"RedrivePolicy": to_attribute(properties["RedrivePolicy"])}
        )


def set_queue_policy(clients: AwsClients, properties: Mapping[str, Any]) -> None:
    """Keep the policy of some queues; moto enforces none."""
    for url in properties["Queues"]:
        clients.get("sqs").set_queue_attributes(
            QueueUrl=url, Attributes={"Policy": to_attribute(properties["PolicyDocument"])}
        )


def create_topic(clients: AwsClients, name: str, properties: Mapping[str, Any]) -> None:
    """Create a topic, without its subscriptions."""
    clients.get("sns").create_topic(
        Name=name,
        Attributes={key: to_attribute(properties[key]) for key in _TOPIC_PROPERTIES if key in properties},
        Tags=properties.get("Tags", []),
    )


def create_subscription(clients: AwsClients, properties: Mapping[str, Any]) -> None:
    """Subscribe an endpoint that moto serves; mail and text messages are accepted and go nowhere."""
    names = ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery")
    clients.get("sns").subscribe(
        TopicArn=properties["TopicArn"],
        Protocol=properties["Protocol"],
        Endpoint=properties["Endpoint"],
        Attributes={
            key: to_attribute(properties[key]) for key in names if properties.get(key) not in (None, False)
        },
    )


def to_attribute(value: Any) -> str:
    """A property as the string that SQS and SNS take: numbers, true/false, or a document as JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


# MERGED: A template's resources → what exists in moto, and the plain properties of the compute beside it. /
#   Everything is made by direct calls rather than through moto's CloudFormation, which drops properties /
#   without a word and takes longer to load than the rest of the cloud takes to start.


class Stack:
    """What is deployed: `of` gives each resource of a type with its properties worked out."""

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
        """Refuse, in one message, everything that cannot be imitated."""
        resolved = [self._resolve(resource) for resource in self._resources]
        unsupported = [error for resource in resolved for error in unsupported_features(resource)]
        if len(unsupported) == 1:
            raise unsupported[0]
        if unsupported:
            raise LocalCloudError("\n".join(map(str, unsupported)))

    def create_resources(self) -> None:
        """Make everything that is not compute: first what stands alone, then what joins it."""
        with ThreadPoolExecutor(6, thread_name_prefix="deploy") as threads:
            self._create_all(threads, _INDEPENDENT)
            self._create_all(threads, _DEPENDENT)

    def resources_of(self, kind: str) -> Iterator[tuple[Resource, dict[str, Any]]]:
        """Every resource of this type with its plain properties."""
        for resource in self._resources:
            if resource.type == kind:
                yield resource, dict(self._resolve(resource).properties)

    def outputs(self) -> dict[str, Any]:
        """The values of the template's outputs."""
        resolver = self.names.resolver
        return {
            name: resolver.resolve(body["Value"])
            for name, body in self.template.outputs.items()
            if "Condition" not in body or resolver.condition_holds(body["Condition"])
        }

    def subscriptions(self) -> Iterator[dict[str, Any]]:
        """Every subscription, whether a resource of its own or written inside its topic."""
        for resource, properties in self.resources_of("AWS::SNS::Topic"):
            for inline in properties.get("Subscription", []):
                yield {**inline, "TopicArn": self.names.arn(resource)}
        for _, properties in self.resources_of("AWS::SNS::Subscription"):
            yield properties

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
        """The physical name of a resource."""
        return self.names.name(resource)


_ResourceCreator = Callable[[Stack, AwsClients, Resource, dict[str, Any]], None]


def _create_table(stack: Stack, clients: AwsClients, resource: Resource, properties: dict[str, Any]) -> None:
    stream = create_table(clients, stack.name(resource), properties)
    if stream:
        stack.names.stream_arns[resource.logical_id] = stream


def _set_redrive(stack: Stack, clients: AwsClients, resource: Resource, properties: dict[str, Any]) -> None:
    set_redrive_policy(clients, stack.names.reference(resource.logical_id), properties)


def _create_parameter(
    stack: Stack, clients: AwsClients, resource: Resource, properties: dict[str, Any]
) -> None:
    arguments = {key: properties[key] for key in ("Type", "Value", "Description") if key in properties}
    clients.get("ssm").put_parameter(Name=stack.name(resource), **arguments)


def _create_signing_key(
    stack: Stack, clients: AwsClients, resource: Resource, properties: dict[str, Any]
) -> None:
    """A key that signs or authenticates, under its alias; what only encrypts is not needed here."""
    keys = {stack.name(one): body for one, body in stack.resources_of("AWS::KMS::Key")}
    usage = {name: keys[properties["TargetKeyId"]].get(name) for name in ("KeyUsage", "KeySpec")}
    if usage["KeyUsage"] in (None, "ENCRYPT_DECRYPT"):
        return
    kms = clients.get("kms")
    key_id = kms.create_key(**usage)["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=stack.name(resource), TargetKeyId=key_id)


def _create_model_group(
    stack: Stack, clients: AwsClients, resource: Resource, properties: dict[str, Any]
) -> None:
    name = stack.name(resource)
    clients.get("sagemaker").create_model_package_group(**{**properties, "ModelPackageGroupName": name})


_INDEPENDENT: Mapping[str, _ResourceCreator] = {
    "AWS::DynamoDB::Table": _create_table,
    "AWS::S3::Bucket": lambda stack, clients, one, to: create_bucket(clients, stack.name(one), to),
    "AWS::SQS::Queue": lambda stack, clients, one, to: create_queue(clients, stack.name(one), to),
    "AWS::SNS::Topic": lambda stack, clients, one, to: create_topic(clients, stack.name(one), to),
    "AWS::SSM::Parameter": _create_parameter,
    "AWS::KMS::Alias": _create_signing_key,
    "AWS::SageMaker::ModelPackageGroup": _create_model_group,
}

_DEPENDENT: Mapping[str, _ResourceCreator] = {
    "AWS::SQS::Queue": _set_redrive,
    "AWS::SQS::QueuePolicy": lambda _stack, clients, _one, to: set_queue_policy(clients, to),
    "AWS::S3::Bucket": lambda stack, clients, one, to: set_bucket_notifications(clients, stack.name(one), to),
}
