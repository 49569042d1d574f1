"""Small packaged folders for the tests: a template and handlers, in the form that `make package` writes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from infra.local.lambda_.sandbox import PYTHON_RUNTIME

Template = dict[str, Any]


def function(handler: str, *, events: Template | None = None, **properties: Any) -> Template:
    """A serverless function of app.py."""
    return {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Runtime": PYTHON_RUNTIME,
            "Handler": f"app.{handler}",
            "FunctionName": handler,
            "CodeUri": "./deployment.zip",
            "Timeout": 10,
            "MemorySize": 256,
            **({"Events": events} if events else {}),
            **properties,
        },
    }


def queue(name: str, **properties: Any) -> Template:
    """A queue with a visibility timeout that no batch exceeds, however busy the machine is."""
    return {
        "Type": "AWS::SQS::Queue",
        "Properties": {"QueueName": name, "VisibilityTimeout": 600, **properties},
    }


def arn(logical: str) -> Template:
    """Return the intrinsic function for the ARN of a resource."""
    return {"Fn::GetAtt": [logical, "Arn"]}


def package(folder: Path, resources: Template, code: str, **sections: Any) -> Path:
    """Write a packaged folder."""
    folder.mkdir(parents=True, exist_ok=True)
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": resources,
        **sections,
    }
    (folder / "sam.json").write_text(json.dumps(template))
    with zipfile.ZipFile(folder / "deployment.zip", "w") as archive:
        archive.writestr("app.py", code)
    return folder


_INVOCATION_URI = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${%s.Arn}/invocations"
_PROXY_INTEGRATION = {
    "x-amazon-apigateway-integration": {
        "type": "aws_proxy",
        "httpMethod": "POST",
        "uri": {"Fn::Sub": _INVOCATION_URI % "ApiFunction"},
    }
}


def rest_api() -> Template:
    """An API in the form that Chalice writes, and its functions."""
    body = {
        "swagger": "2.0",
        "info": {"title": "api", "version": "1.0"},
        "paths": {
            "/things/{name}": {"get": _PROXY_INTEGRATION},
            "/things/mine": {"get": _PROXY_INTEGRATION},
            "/secret": {"get": {**_PROXY_INTEGRATION, "security": [{"guard": []}]}},
            "/broken": {"get": _PROXY_INTEGRATION},
            "/picture": {"post": _PROXY_INTEGRATION},
        },
        "securityDefinitions": {
            "guard": {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "x-amazon-apigateway-authorizer": {
                    "type": "token",
                    "authorizerUri": {"Fn::Sub": _INVOCATION_URI % "Authorize"},
                    "authorizerResultTtlInSeconds": 60,
                },
            }
        },
        "x-amazon-apigateway-binary-media-types": ["image/png"],
    }
    return {
        "ApiFunction": function("api"),
        "Authorize": function("authorize"),
        "Api": {
            "Type": "AWS::Serverless::Api",
            "Properties": {"StageName": "api", "DefinitionBody": body},
        },
    }


def sample_package(folder: Path) -> Path:
    """Write a package with a layer and every kind of trigger."""
    layer = folder / "layers" / "runtime"
    (layer / "python").mkdir(parents=True)
    (layer / "python" / "in_layer.py").write_text("NAME = 'in layer'\n")
    (layer / "notes.txt").write_text("from the layer")
    code = Path(__file__).with_name("handlers.py").read_text()
    return package(folder, _sample_resources(), code, Parameters=_SAMPLE_PARAMETERS, Outputs=_SAMPLE_OUTPUTS)


_SAMPLE_PARAMETERS = {"Stage": {"Type": "String", "Default": "aws"}}
_SAMPLE_OUTPUTS = {
    "Url": {"Value": {"Fn::Sub": "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/api/"}},
    "Bucket": {"Value": {"Ref": "Pictures"}},
    "Queue": {"Value": {"Ref": "Work"}},
}


def _sample_resources() -> Template:
    return {
        **_plain_functions(),
        **_failures_and_records(),
        **_queues(),
        **_stream(),
        **_event_rules(),
        **rest_api(),
    }


def _plain_functions() -> Template:
    return {
        "Echo": function("echo"),
        "Environment": function("environment", Environment={"Variables": {"STAGE": {"Ref": "Stage"}}}),
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
        "Reserved": function("slow", FunctionName="reserved", Timeout=900, ReservedConcurrentExecutions=1),
        "Killed": function("slow", FunctionName="killed", Timeout=900),
        "Crash": function("crash"),
        "UseMemory": function("use_memory", MemorySize=128),
        "Large": function("large"),
    }


def _failures_and_records() -> Template:
    return {
        "Fail": function("fail"),
        "Records": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": "records",
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
        "Batch": function("batch", events={"Work": _queue_event("Work", BatchSize=5)}),
        "Work": queue("work", RedrivePolicy={"deadLetterTargetArn": arn("Dead"), "maxReceiveCount": 2}),
        "Dead": queue("dead"),
        "Filtered": function(
            "filtered",
            events={
                "FilteredQueue": _queue_event(
                    "FilteredQueue", FilterCriteria={"Filters": [{"Pattern": pattern}]}
                ),
            },
        ),
        "FilteredQueue": queue("filtered-queue"),
        "Controlled": function("throttled_by_control", events={"Lane": _queue_event("Lane")}),
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


def _queue_event(logical: str, **properties: object) -> Template:
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
                        "DestinationConfig": {"OnFailure": {"Type": "SQS", "Destination": arn("Discarded")}},
                    },
                }
            },
        ),
        "Discarded": queue("discarded"),
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


def _event_rules() -> Template:
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
    }
