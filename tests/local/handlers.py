"""The app.py of the sample package; it runs in the workers of the local cloud."""

import importlib
import json
import os
import sys
import time
from pathlib import Path

import boto3

RECORDS_TABLE = "records"


def _record(kind, value):
    boto3.client("dynamodb").put_item(
        TableName=RECORDS_TABLE,
        Item={"kind": {"S": kind}, "at": {"N": str(time.time_ns())}, "what": {"S": json.dumps(value)}},
    )


def echo(event, context):
    sys.stdout.write(f"echoing {json.dumps(event)}\n")
    left = context.get_remaining_time_in_millis()
    return {"event": event, "request_id": context.aws_request_id, "left": left}


def environment(event, context):
    names = [name for name in event["import"] if _importable(name)]
    return {"environment": dict(os.environ), "path": sys.path, "importable": names, "cwd": os.getcwd()}


def _importable(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def read(event, context):
    layer = importlib.import_module("in_layer")
    return {"text": Path(os.environ["FROM_LAYER"]).read_text(), "module": layer.NAME}


def pid(event, context):
    return os.getpid()


def slow(event, context):
    time.sleep(event.get("seconds", 60))
    return "slept"


def crash(event, context):
    os._exit(7)


def use_memory(event, context):
    memory = bytearray(400 * 1024 * 1024)
    for place in range(0, len(memory), 4096):
        memory[place] = 1
    time.sleep(30)


def fail(event, context):
    raise ValueError(f"no {event}")


def large(event, context):
    return "x" * (6 * 1024 * 1024 + 1)


def batch(event, context):
    _record("batch", [record["body"] for record in event["Records"]])
    failed = [record for record in event["Records"] if record["body"].startswith("bad")]
    for record in failed:
        _return_to_queue(record)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in failed]}


def _return_to_queue(record):
    """Make a message visible at once, as the lanes do with a failed message."""
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=record["eventSourceARN"].rsplit(":", 1)[-1])["QueueUrl"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=0)


def filtered(event, context):
    for record in event["Records"]:
        _record("filtered", record)


def throttled_by_control(event, context):
    for record in event["Records"]:
        _record("controlled", record["body"])


def stream(event, context):
    for record in event["Records"]:
        image = record["dynamodb"].get("NewImage", {})
        if image.get("text", {}).get("S") == "poison":
            raise ValueError("poison")
        _record("stream", {"name": record["eventName"], "id": record["dynamodb"]["Keys"]["id"]["S"]})


def tick(event, context):
    _record("tick", event)


def on_event(event, context):
    _record("event", event)


def api(event, context):
    if event["resource"] == "/broken":
        return "not a response"
    if event["resource"] == "/picture":
        return {
            "statusCode": 200,
            "headers": {"Content-Type": "image/png"},
            "body": event["body"],
            "isBase64Encoded": True,
        }
    return {"statusCode": 201, "headers": {"X-Own": "yes"}, "body": json.dumps(event)}


def authorize(event, context):
    if event["authorizationToken"] == "broken":
        raise ValueError("broken")
    effect = {"let me in": "Allow", "throw me out": "Deny"}.get(event["authorizationToken"])
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    return {
        "principalId": "someone",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement] if effect else []},
        "context": {"role": "guest"},
    }
