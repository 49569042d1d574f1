"""Buckets and tables of the template, made in moto by the same calls that AWS would get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.local.clients import Clients

_TABLE = (
    "KeySchema",
    "AttributeDefinitions",
    "BillingMode",
    "ProvisionedThroughput",
    "LocalSecondaryIndexes",
    "DeletionProtectionEnabled",
    "Tags",
)
_INDEX = ("IndexName", "KeySchema", "Projection", "ProvisionedThroughput")


def make_bucket(clients: Clients, name: str, properties: Mapping[str, Any]) -> None:
    """Create a bucket, without its notifications: their queues may not exist yet."""
    s3 = clients.get("s3")
    s3.create_bucket(Bucket=name)
    if "VersioningConfiguration" in properties:
        s3.put_bucket_versioning(
            Bucket=name, VersioningConfiguration=dict(properties["VersioningConfiguration"])
        )
    if properties.get("Tags"):
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": properties["Tags"]})


def notify(clients: Clients, name: str, properties: Mapping[str, Any]) -> None:
    """Set the notifications of a bucket; S3 then sends its test event, here as on AWS."""
    wanted = properties.get("NotificationConfiguration", {})
    configuration = {
        f"{kind}Configurations": [_notification(kind, one) for one in wanted[f"{kind}Configurations"]]
        for kind in ("Queue", "Topic")
        if f"{kind}Configurations" in wanted
    }
    if configuration:
        clients.get("s3").put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration=configuration
        )


def _notification(kind: str, written: Mapping[str, Any]) -> dict[str, Any]:
    rules = written.get("Filter", {}).get("S3Key", {}).get("Rules", [])
    made: dict[str, Any] = {f"{kind}Arn": written[kind], "Events": [written["Event"]]}
    if rules:
        made["Filter"] = {"Key": {"FilterRules": rules}}
    return made


def make_table(clients: Clients, name: str, properties: Mapping[str, Any]) -> str | None:
    """Create a table; returns the ARN of its stream, if it has one.

    moto keeps the time to live but deletes nothing by it: on AWS too an item may outlive it by days.
    """
    dynamodb = clients.get("dynamodb")
    settings = {key: properties[key] for key in _TABLE if key in properties}
    indexes = [
        {key: index[key] for key in _INDEX if key in index}
        for index in properties.get("GlobalSecondaryIndexes", [])
    ]
    if indexes:
        settings["GlobalSecondaryIndexes"] = indexes
    if "StreamSpecification" in properties:
        settings["StreamSpecification"] = {
            "StreamEnabled": True,
            "StreamViewType": properties["StreamSpecification"]["StreamViewType"],
        }
    made = dynamodb.create_table(TableName=name, **settings)["TableDescription"]
    _finish_table(dynamodb, name, properties)
    stream: str | None = made.get("LatestStreamArn")
    return stream


def _finish_table(dynamodb: Any, name: str, properties: Mapping[str, Any]) -> None:
    if "TimeToLiveSpecification" in properties:
        dynamodb.update_time_to_live(
            TableName=name, TimeToLiveSpecification=properties["TimeToLiveSpecification"]
        )
    recovery = properties.get("PointInTimeRecoverySpecification", {})
    if recovery.get("PointInTimeRecoveryEnabled"):
        dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
