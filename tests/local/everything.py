"""The big package: every kind of trigger once."""

from __future__ import annotations

import json
from pathlib import Path

from tests.local.packages import Template, arn, function, package, queue
from tests.local.rest_api import api


def everything(folder: Path) -> Path:
    """Write it, with a layer beside the code."""
    layer = folder / "layers" / "runtime"
    (layer / "python").mkdir(parents=True)
    (layer / "python" / "in_layer.py").write_text("NAME = 'in layer'\n")
    (layer / "notes.txt").write_text("from the layer")
    code = Path(__file__).with_name("handlers.py").read_text()
    return package(folder, _resources(), code, Parameters=_PARAMETERS, Outputs=_OUTPUTS)


_PARAMETERS = {"Stage": {"Type": "String", "Default": "aws"}}
_OUTPUTS = {
    "Url": {"Value": {"Fn::Sub": "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/api/"}},
    "Bucket": {"Value": {"Ref": "Pictures"}},
    "Queue": {"Value": {"Ref": "Work"}},
}


def _resources() -> Template:
    return {**_plain_functions(), **_what_is_kept(), **_queues(), **_stream(), **_events(), **api()}


def _plain_functions() -> Template:
    return {
        "Echo": function("echo", EventInvokeConfig={"MaximumRetryAttempts": 1}),
        "Surroundings": function("surroundings", Environment={"Variables": {"STAGE": {"Ref": "Stage"}}}),
        "Runtime": {
            "Type": "AWS::Serverless::LayerVersion",
            "Properties": {"LayerName": "runtime", "ContentUri": "./layers/runtime"},
        },
        "Read": function(
            "read",
            Layers=[{"Ref": "Runtime"}],
            Environment={"Variables": {"FROM_LAYER": "/opt/notes.txt"}},
        ),
        "Pid": function("pid"),
        "Slow": function("slow", Timeout=1),
        "Reserved": function("slow", FunctionName="reserved", ReservedConcurrentExecutions=1),
        "Killed": function("slow", FunctionName="killed"),
        "Crash": function("crash"),
        "Hungry": function("hungry", MemorySize=128),
        "Large": function("large"),
    }


def _what_is_kept() -> Template:
    return {
        "Fail": function(
            "fail",
            EventInvokeConfig={
                "MaximumRetryAttempts": 2,
                "DestinationConfig": {"OnFailure": {"Type": "SQS", "Destination": arn("Failed")}},
            },
        ),
        "Failed": queue("failed"),
        "Seen": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": "seen",
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [
                    {"AttributeName": "kind", "KeyType": "HASH"},
                    {"AttributeName": "at", "KeyType": "RANGE"},
                ],
                "AttributeDefinitions": [
                    {"AttributeName": "kind", "AttributeType": "S"},
                    {"AttributeName": "at", "AttributeType": "N"},
                ],
            },
        },
    }


def _queues() -> Template:
    pattern = json.dumps({"body": {"size": [{"numeric": [">", 3]}]}})
    return {
        "Batch": function("batch", events={"Work": _from_queue("Work", BatchSize=5)}),
        "Work": queue("work", RedrivePolicy={"deadLetterTargetArn": arn("Dead"), "maxReceiveCount": 2}),
        "Dead": queue("dead"),
        "Filtered": function(
            "filtered",
            events={
                "Picky": _from_queue("Picky", FilterCriteria={"Filters": [{"Pattern": pattern}]}),
            },
        ),
        "Picky": queue("picky"),
        "Controlled": function("throttled_by_control", events={"Lane": _from_queue("Lane")}),
        "Lane": queue("lane"),
        "Pictures": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "VersioningConfiguration": {"Status": "Enabled"},
                "NotificationConfiguration": {
                    "QueueConfigurations": [
                        {
                            "Event": "s3:ObjectCreated:*",
                            "Queue": arn("Arrivals"),
                            "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": "live/"}]}},
                        }
                    ]
                },
            },
        },
        "Arrivals": queue("arrivals"),
    }


def _from_queue(logical: str, **properties: object) -> Template:
    return {
        "Type": "SQS",
        "Properties": {
            "Queue": arn(logical),
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": 2},
            **properties,
        },
    }


def _stream() -> Template:
    return {
        "Stream": function(
            "stream",
            events={
                "Changes": {
                    "Type": "DynamoDB",
                    "Properties": {
                        "Stream": {"Fn::GetAtt": ["Table", "StreamArn"]},
                        "StartingPosition": "LATEST",
                        "BatchSize": 10,
                        "BisectBatchOnFunctionError": True,
                        "MaximumRetryAttempts": 1,
                        "FilterCriteria": {
                            "Filters": [{"Pattern": json.dumps({"eventName": ["INSERT", "MODIFY"]})}]
                        },
                        "DestinationConfig": {"OnFailure": {"Type": "SQS", "Destination": arn("GivenUp")}},
                    },
                }
            },
        ),
        "GivenUp": queue("given-up"),
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": "things",
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
                "TimeToLiveSpecification": {"AttributeName": "until", "Enabled": True},
            },
        },
    }


def _events() -> Template:
    return {
        "Tick": function(
            "tick", events={"Often": {"Type": "Schedule", "Properties": {"Schedule": "rate(1 minute)"}}}
        ),
        "OnEvent": function(
            "on_event",
            events={
                "Trained": {
                    "Type": "EventBridgeRule",
                    "Properties": {"Pattern": {"source": ["shop"], "detail": {"state": [{"prefix": "do"}]}}},
                }
            },
        ),
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "news"}},
        "OnTopic": function(
            "on_topic",
            events={
                "News": {
                    "Type": "SNS",
                    "Properties": {"Topic": {"Ref": "Topic"}, "FilterPolicy": {"severity": ["high"]}},
                }
            },
        ),
    }
