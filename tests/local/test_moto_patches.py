"""The patches of moto: upload forms, the HTTP server, and whether moto still needs each patch.

The tests named `test_moto_still_...` run on moto without patches. When one of them fails, moto behaves as AWS
does, and the patch that it names can be deleted.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.dynamodbstreams.models import dynamodbstreams_backends
from moto.s3.models import FakeKey, s3_backends
from moto.sns.models import sns_backends
from moto.sqs import models as sqs_models
from moto.sqs.models import Queue, sqs_backends

from cloud.s3.objects import PresignedPhotos
from infra.local.moto_.patches.fair_queues import patch_fair_queues
from infra.local.moto_.patches.post_policy import check_form
from infra.local.moto_.process import create_http_server

NOW = datetime.now(UTC)


def post_form(key: str = "live/faces/door/a.jpg") -> dict[str, str]:
    client = boto3.client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(signature_version="s3v4"),
    )
    signed = PresignedPhotos(client, "photos").upload_form(
        key, content_type="image/jpeg", max_bytes=1000, expires_s=300
    )
    return {name.lower(): value for name, value in signed.fields.items()} | {"bucket": "photos"}


def test_a_form_with_the_signed_fields_is_accepted():
    assert check_form(post_form(), 1000, NOW) is None


@pytest.mark.parametrize(
    ("changed", "size", "code"),
    [
        ({}, 1001, "EntityTooLarge"),
        ({}, 0, "EntityTooSmall"),
        ({"content-type": "text/html"}, 10, "AccessDenied"),
        ({"key": "live/faces/vault/a.jpg"}, 10, "AccessDenied"),
        ({"bucket": "store"}, 10, "AccessDenied"),
        ({"acl": "public-read"}, 10, "AccessDenied"),
        ({"policy": "none"}, 10, "AccessDenied"),
    ],
)
def test_a_changed_form_is_refused(changed: dict[str, str], size: int, code: str):
    refusal = check_form(post_form() | changed, size, NOW)

    assert refusal is not None
    assert refusal[1] == code


def test_a_form_is_refused_after_its_expiration():
    refusal = check_form(post_form(), 10, NOW + timedelta(hours=1))

    assert refusal is not None
    assert "expired" in refusal[2]


_PUT_REQUEST = b"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"


def _echo_application(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
    start("200 OK", [])
    return [environ["wsgi.input"].read()]


def test_expect_100_continue_is_answered_before_the_body_is_sent():
    http = create_http_server(_echo_application, None)
    threading.Thread(target=http.serve_forever, daemon=True).start()

    with socket.create_connection(("127.0.0.1", http.port), timeout=120) as line:
        line.sendall(_PUT_REQUEST)
        interim = line.recv(1000)
        line.sendall(b"photo")
        answer = line.recv(1000)
    http.shutdown()

    assert interim.startswith(b"HTTP/1.1 100")
    assert answer.endswith(b"photo")


@pytest.mark.parametrize(
    "headers", [b"Host: evil.example\r\n", b"Host: 127.0.0.1\r\nOrigin: https://evil.example\r\n"]
)
def test_a_request_to_a_foreign_host_or_by_a_foreign_page_is_refused(headers: bytes):
    """A browser sends both for a page whose name was bound to this machine's address."""
    http = create_http_server(_echo_application, None)
    threading.Thread(target=http.serve_forever, daemon=True).start()

    with socket.create_connection(("127.0.0.1", http.port), timeout=120) as line:
        line.sendall(b"PUT / HTTP/1.1\r\n" + headers + b"Content-Length: 5\r\n\r\nphoto")
        answer = line.recv(1000)
    http.shutdown()

    assert answer.startswith(b"HTTP/1.1 421")


ACCOUNT, REGION = "123456789012", "eu-west-1"


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Creates clients of moto without patches."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield lambda service: boto3.client(service, region_name=REGION)


@pytest.fixture
def table(moto: Callable[[str], Any]) -> Any:
    """A DynamoDB client with an empty table "t" that has a stream."""
    client = moto("dynamodb")
    client.create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    return client


@pytest.fixture
def bucket(moto: Callable[[str], Any]) -> Any:
    """An S3 client with a versioned bucket "bucket" that notifies the queue "q"."""
    moto("sqs").create_queue(QueueName="q")
    client = moto("s3")
    client.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    client.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    notification = {"QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", "Events": ["s3:ObjectCreated:*"]}
    client.put_bucket_notification_configuration(
        Bucket="bucket", NotificationConfiguration={"QueueConfigurations": [notification]}
    )
    return client


def _moto_table() -> Table:
    found: Table = dynamodb_backends[ACCOUNT][REGION].tables["t"]
    return found


def test_moto_still_writes_two_stream_records_for_an_update_that_creates_an_item(table: Any):
    """Else delete `_single_insert` in dynamodb_writes.py."""
    values = {":one": {"N": "1"}}
    table.update_item(
        TableName="t",
        Key={"id": {"S": "a"}},
        UpdateExpression="SET n = :one",
        ExpressionAttributeValues=values,
    )

    shard: Any = _moto_table().stream_shard
    assert len(shard.items) == 2


def test_moto_still_replaces_its_tables_in_a_failed_transaction(table: Any):
    """Else delete `transact_without_copies` in dynamodb_writes.py."""
    before = _moto_table()
    put = {"TableName": "t", "Item": {"id": {"S": "a"}}, "ConditionExpression": "attribute_exists(id)"}

    with pytest.raises(ClientError, match="TransactionCanceled"):
        table.transact_write_items(TransactItems=[{"Put": put}])

    assert _moto_table() is not before


def test_moto_still_deletes_a_message_without_the_lock_of_its_queue(moto: Callable[[str], Any]):
    """Else delete locking.py."""
    moto("sqs").create_queue(QueueName="q")
    queue = sqs_backends[ACCOUNT][REGION].queues["q"]
    queue.deleted_messages.add("receipt handle")
    finished = threading.Event()

    def delete() -> None:
        queue.delete_message("receipt handle")
        finished.set()

    with queue._messages_lock:
        threading.Thread(target=delete, daemon=True).start()
        assert finished.wait(60)


def test_moto_still_keeps_every_notification_that_was_published(moto: Callable[[str], Any]):
    """Else delete memory_growth.py."""
    topic = moto("sns").create_topic(Name="t")["TopicArn"]
    for _ in range(3):
        moto("sns").publish(TopicArn=topic, Message="m")

    assert len(sns_backends[ACCOUNT][REGION].topics[topic].sent_notifications) == 3


def test_moto_still_omits_version_and_sequencer_in_a_notification(moto: Callable[[str], Any], bucket: Any):
    """Else delete notification_fields.py."""
    bucket.put_object(Bucket="bucket", Key="a/b", Body=b"x")

    sqs = moto("sqs")
    url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
    bodies = [
        json.loads(one["Body"])
        for one in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    ]
    (described,) = [body["Records"][0]["s3"]["object"] for body in bodies if "Records" in body]
    assert {"versionId", "sequencer"} & described.keys() == set()
    assert described["key"] == "a%2Fb"


def test_moto_still_reads_the_contents_of_every_version_for_a_listing(
    monkeypatch: pytest.MonkeyPatch, bucket: Any
):
    """Else delete `_copy_without_contents` in performance.py."""
    bucket.put_object(Bucket="bucket", Key="k", Body=b"contents")
    versions: Any = s3_backends[ACCOUNT]["aws"].buckets["bucket"].keys.getlist("k")
    reads: list[bytes] = []
    value: Any = vars(FakeKey)["value"]

    def read(key: FakeKey) -> bytes:
        reads.append(value.fget(key))
        return reads[-1]

    monkeypatch.setattr(FakeKey, "value", property(read, value.fset))

    bucket.list_object_versions(Bucket="bucket")

    assert len(versions) == 1
    assert b"contents" in reads


def test_moto_still_reads_the_clock_for_every_waiting_message_when_one_is_sent(
    monkeypatch: pytest.MonkeyPatch, moto: Callable[[str], Any]
):
    """Else delete the clock of SQS in performance.py."""
    sqs = moto("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    for number in range(50):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    clock = Mock(wraps=sqs_models.unix_time_millis)  # type: ignore[attr-defined]
    monkeypatch.setattr(sqs_models, "unix_time_millis", clock)

    sqs.send_message(QueueUrl=url, MessageBody="last")

    assert clock.call_count > 50


def test_moto_still_accepts_an_upload_form_without_a_policy(bucket: Any):
    """Else delete post_policy.py."""
    response = requests.post(
        f"https://bucket.s3.{REGION}.amazonaws.com/", data={"key": "k"}, files={"file": b"x"}, timeout=60
    )

    assert response.status_code == 204
    assert bucket.get_object(Bucket="bucket", Key="k")["Body"].read() == b"x"


def test_moto_still_reads_the_whole_table_for_a_query(monkeypatch: pytest.MonkeyPatch, table: Any):
    """Else delete query_by_key.py."""
    for number in range(20):
        table.put_item(TableName="t", Item={"id": {"S": str(number)}})
    listed: list[int] = []
    all_items = Table.all_items

    def count_items(self: Table) -> Any:
        listed.append(sum(1 for _ in all_items(self)))
        return all_items(self)

    monkeypatch.setattr(Table, "all_items", count_items)

    table.query(
        TableName="t", KeyConditionExpression="id = :id", ExpressionAttributeValues={":id": {"S": "7"}}
    )

    assert max(listed, default=0) == 20


def test_moto_still_keeps_stream_records_that_were_read(table: Any):
    """Else delete stream_trimming.py."""
    for number in range(5):
        table.put_item(TableName="t", Item={"id": {"S": str(number)}})
    arn = table.describe_table(TableName="t")["Table"]["LatestStreamArn"]
    streams, shard = dynamodbstreams_backends[ACCOUNT][REGION], _moto_table().stream_shard
    assert shard is not None
    iterator = streams.get_shard_iterator(arn, shard.id, "TRIM_HORIZON").arn
    for _ in range(2):
        iterator = streams.get_records(iterator, 1000)["NextShardIterator"]

    assert len(shard.items) == 5


def test_moto_still_computes_no_percentiles(moto: Callable[[str], Any]):
    """Else delete `patch_metric_data` in infra/local/cloudwatch/metric_data.py."""
    cloudwatch = moto("cloudwatch")
    for value in (1.0, 2.0, 3.0):
        cloudwatch.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": value}])
    stat = {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 3600, "Stat": "p50"}

    with pytest.raises(TypeError):
        cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "q", "MetricStat": stat}],
            StartTime=NOW - timedelta(hours=1),
            EndTime=datetime.now(UTC) + timedelta(hours=1),
        )


def test_moto_still_delivers_a_noisy_tenant_before_a_quiet_one(moto: Callable[[str], Any]):
    """Else delete fair_queues.py."""
    assert _groups_after_noise(moto("sqs")) == ["noisy", "quiet"]


def test_a_tenant_that_takes_the_consumers_time_is_delivered_after_the_others(
    moto: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Queue, "messages", Queue.messages)
    monkeypatch.setattr(Queue, "delete_message", Queue.delete_message)
    patch_fair_queues()

    assert _groups_after_noise(moto("sqs")) == ["quiet", "noisy"]


def _groups_after_noise(client: Any) -> list[str]:
    """The groups of two messages in the order of delivery, while a message of the first is in flight."""
    url = client.create_queue(QueueName="q")["QueueUrl"]
    for group in ("noisy", "noisy", "quiet"):
        client.send_message(QueueUrl=url, MessageBody="{}", MessageGroupId=group)
    client.receive_message(QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=600)
    _age_received_messages(sqs_backends[ACCOUNT][REGION].queues["q"])
    received = client.receive_message(
        QueueUrl=url, MaxNumberOfMessages=2, MessageSystemAttributeNames=["MessageGroupId"]
    )
    return [one["Attributes"]["MessageGroupId"] for one in received["Messages"]]


def _age_received_messages(queue: Queue) -> None:
    """Let the messages in flight be in process for a minute."""
    for message in queue._messages:
        if not message.visible:
            message.approximate_first_receive_timestamp = int(time.time() * 1000) - 60_000
