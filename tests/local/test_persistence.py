"""A cloud with a state file: what the next cloud restores, however the last one ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from infra.local.cloud import Cloud
from infra.local.errors import StartupFailed
from infra.local.persistence.encoding import NotEncoded, decode, encode
from infra.local.persistence.store import StateStore, check_state_file
from tests.local.packages import arn, function, package, queue
from tests.local.waiting import wait_until

_PROJECT = Path(__file__).parents[2]
_CODE = """
import json
def f(event, context):
    for record in event["Records"]:
        print("published", record["dynamodb"]["Keys"]["id"]["S"])
"""
_BUCKET, _TABLE = "pictures", "things"


@pytest.fixture
def package_folder(tmp_path: Path) -> Path:
    """A folder with a package: a bucket that notifies a queue, a table with a stream, a topic."""
    changes = {
        "Type": "DynamoDB",
        "Properties": {"Stream": {"Fn::GetAtt": ["Table", "StreamArn"]}, "StartingPosition": "TRIM_HORIZON"},
    }
    notifications = {"QueueConfigurations": [{"Event": "s3:ObjectCreated:*", "Queue": arn("Arrivals")}]}
    bucket = {
        "BucketName": _BUCKET,
        "VersioningConfiguration": {"Status": "Enabled"},
        "NotificationConfiguration": notifications,
    }
    table = {
        "TableName": _TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
    }
    resources = {
        "Pictures": {"Type": "AWS::S3::Bucket", "Properties": bucket},
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": table},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "news"}},
        "F": function("f", events={"Changes": changes}),
        "Arrivals": queue("arrivals", RedrivePolicy=_redrive_policy(1)),
        "Dead": queue("dead"),
    }
    package(tmp_path / "p", resources, _CODE, Outputs={"Topic": {"Value": {"Ref": "Topic"}}})
    return tmp_path


def _redrive_policy(receives: int) -> dict[str, Any]:
    return {"deadLetterTargetArn": arn("Dead"), "maxReceiveCount": receives}


def _cloud(package_folder: Path, runtime: Path) -> Cloud:
    data = package_folder / "d"
    return Cloud(package_folder / "p", data, state_file=data / "state.sqlite", runtime=runtime)


def _url(cloud: Cloud, name: str) -> str:
    return str(cloud.client("sqs").get_queue_url(QueueName=name)["QueueUrl"])


def _receive_messages(cloud: Cloud, name: str, **options: Any) -> list[dict[str, Any]]:
    answer = cloud.client("sqs").receive_message(
        QueueUrl=_url(cloud, name), MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"], **options
    )
    return list(answer.get("Messages", []))


def _object_versions(cloud: Cloud) -> list[tuple[str, str, bool, Any]]:
    found = cloud.client("s3").list_object_versions(Bucket=_BUCKET)
    marked = [*found.get("Versions", ()), *found.get("DeleteMarkers", ())]
    return sorted((one["Key"], one["VersionId"], one["IsLatest"], one["LastModified"]) for one in marked)


def _files_of_others(folder: Path) -> list[Path]:
    """The files that another user of the machine could read if the folder were open."""
    return [path for path in folder.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]


def test_objects_are_restored_with_their_versions_types_and_deletions(package_folder: Path, runtime: Path):
    with _cloud(package_folder, runtime) as cloud:
        s3 = cloud.client("s3")
        first = s3.put_object(Bucket=_BUCKET, Key="a/b c", Body=b"one", ContentType="image/jpeg")["VersionId"]
        s3.put_object(Bucket=_BUCKET, Key="a/b c", Body=b"two" * 100_000, Metadata={"Ground": "x"})
        s3.put_object(Bucket=_BUCKET, Key="gone", Body=b"gone")
        s3.delete_object(Bucket=_BUCKET, Key="gone")
        erased = s3.put_object(Bucket=_BUCKET, Key="erased", Body=b"a secret face")["VersionId"]
        s3.delete_object(Bucket=_BUCKET, Key="erased", VersionId=erased)
        before = _object_versions(cloud)

    with _cloud(package_folder, runtime) as cloud:
        s3 = cloud.client("s3")
        old = s3.get_object(Bucket=_BUCKET, Key="a/b c", VersionId=first)
        new = s3.get_object(Bucket=_BUCKET, Key="a/b c")
        after = _object_versions(cloud)
        assert _files_of_others(package_folder / "d") == []

    assert (old["Body"].read(), old["ContentType"]) == (b"one", "image/jpeg")
    assert (new["Body"].read(), new["Metadata"]) == (b"two" * 100_000, {"ground": "x"})
    assert after == before
    assert [key for key, *_ in after] == ["a/b c", "a/b c", "gone", "gone"]
    state_files = (package_folder / "d").glob("state*")
    assert not [file for file in state_files if b"a secret face" in file.read_bytes()]


def test_rows_are_restored_and_a_stream_continues_at_its_position(package_folder: Path, runtime: Path):
    with _cloud(package_folder, runtime) as cloud:
        rows = cloud.client("dynamodb")
        rows.put_item(TableName=_TABLE, Item={"id": {"S": "a"}, "n": {"N": "1"}, "raw": {"B": b"\0\xff"}})
        rows.put_item(TableName=_TABLE, Item={"id": {"S": "b"}})
        rows.delete_item(TableName=_TABLE, Key={"id": {"S": "b"}})
        update = {"Key": {"id": {"S": "a"}}, "UpdateExpression": "ADD n :one"}
        rows.update_item(TableName=_TABLE, **update, ExpressionAttributeValues={":one": {"N": "1"}})
        wait_until(lambda: "published a" in "".join(cloud.logs("F")))
        cloud.wait_until_idle(timeout_s=120)
        stream = rows.describe_table(TableName=_TABLE)["Table"]["LatestStreamArn"]
        published = "".join(cloud.logs("F")).count("published")

    with _cloud(package_folder, runtime) as cloud:
        rows = cloud.client("dynamodb")
        found = rows.scan(TableName=_TABLE)["Items"]
        rows.put_item(TableName=_TABLE, Item={"id": {"S": "c"}})
        wait_until(lambda: "published c" in "".join(cloud.logs("F")))
        cloud.wait_until_idle(timeout_s=120)

        assert found == [{"id": {"S": "a"}, "n": {"N": "2"}, "raw": {"B": b"\0\xff"}}]
        assert "".join(cloud.logs("F")).count("published") == published + 1
        assert rows.describe_table(TableName=_TABLE)["Table"]["LatestStreamArn"] == stream


def test_messages_are_restored_with_their_receives_and_visibility(package_folder: Path, runtime: Path):
    with _cloud(package_folder, runtime) as cloud:
        s3 = cloud.client("s3")
        _receive_messages(
            cloud, "arrivals", VisibilityTimeout=1
        )  # S3's test event, which moves to the dead-letter queue
        s3.put_object(Bucket=_BUCKET, Key="in flight", Body=b"")
        (held,) = _receive_messages(cloud, "arrivals")
        s3.put_object(Bucket=_BUCKET, Key="done with", Body=b"")
        (done,) = _receive_messages(cloud, "arrivals")
        cloud.client("sqs").delete_message(
            QueueUrl=_url(cloud, "arrivals"), ReceiptHandle=done["ReceiptHandle"]
        )
        s3.put_object(Bucket=_BUCKET, Key="waiting", Body=b"")

    with _cloud(package_folder, runtime) as cloud:
        bodies = [one["Body"] for one in _receive_messages(cloud, "arrivals")]
        cloud.client("sqs").change_message_visibility(
            QueueUrl=_url(cloud, "arrivals"), ReceiptHandle=held["ReceiptHandle"], VisibilityTimeout=0
        )
        _receive_messages(cloud, "arrivals")
        dead = {one["MessageId"]: one["Attributes"] for one in _receive_messages(cloud, "dead")}

    assert ["waiting" in body for body in bodies if "TestEvent" not in body] == [True]
    assert dead[held["MessageId"]]["ApproximateReceiveCount"] == "2"
    assert done["MessageId"] not in dead


def test_subscriptions_and_queues_of_clients_are_restored(package_folder: Path, runtime: Path):
    with _cloud(package_folder, runtime) as cloud:
        cloud.client("sqs").create_queue(QueueName="mine", Attributes={"VisibilityTimeout": "7"})
        subscription = cloud.client("sns").subscribe(
            TopicArn=cloud.outputs["Topic"],
            Protocol="sqs",
            Endpoint="arn:aws:sqs:us-east-1:123456789012:mine",
            Attributes={"RawMessageDelivery": "true", "FilterPolicy": json.dumps({"kind": ["good"]})},
        )["SubscriptionArn"]

    with _cloud(package_folder, runtime) as cloud:
        sns = cloud.client("sns")
        for kind in ("good", "bad"):
            attributes = {"kind": {"DataType": "String", "StringValue": kind}}
            sns.publish(TopicArn=cloud.outputs["Topic"], Message=kind, MessageAttributes=attributes)
        found = sns.list_subscriptions()["Subscriptions"]

        assert [one["Body"] for one in _receive_messages(cloud, "mine")] == ["good"]
        assert [one["SubscriptionArn"] for one in found] == [subscription]


def test_after_a_kill_every_acknowledged_upload_is_restored(package_folder: Path, runtime: Path):
    acknowledged: set[tuple[str, str]] = set()
    victim = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(package_folder), str(runtime)],
        cwd=_PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with victim:
        assert victim.stdout is not None
        moto = int(victim.stdout.readline())
        for _ in range(40):
            acknowledged.add(tuple(json.loads(victim.stdout.readline())))
        os.kill(moto, signal.SIGKILL)
        victim.kill()
        acknowledged |= {tuple(json.loads(line)) for line in victim.stdout if line.endswith(b"]\n")}

    with _cloud(package_folder, runtime) as cloud:
        found = {(key, version) for key, version, *_ in _object_versions(cloud)}
        notifications = _message_count(cloud, "arrivals") + _message_count(cloud, "dead")

    assert acknowledged <= found
    assert len(found) - len(acknowledged) <= 4  # at most one unacknowledged upload of each writer
    assert notifications >= len(acknowledged)


def _message_count(cloud: Cloud, name: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    shown = cloud.client("sqs").get_queue_attributes(QueueUrl=_url(cloud, name), AttributeNames=names)
    return sum(map(int, shown["Attributes"].values()))


_RUN = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tests.local.test_persistence import _BUCKET, _cloud

def put(number):
    key = f"{number % 30}"
    version = s3.put_object(Bucket=_BUCKET, Key=key, Body=bytes(50_000))["VersionId"]
    sys.stdout.write(json.dumps([key, version]) + "\\n")
    sys.stdout.flush()

package_folder, runtime = map(Path, sys.argv[1:])
with _cloud(package_folder, runtime) as cloud:
    sys.stdout.write(f"{cloud.moto_pid}\\n")
    sys.stdout.flush()
    s3 = cloud.client("s3")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(put, range(100_000)))
"""


def test_of_two_clouds_that_start_at_once_on_one_folder_one_is_refused(package_folder: Path, runtime: Path):
    refused = Event()

    def start(_: int) -> str:
        try:
            with _cloud(package_folder, runtime):
                assert refused.wait(120)
                return "ran"
        except StartupFailed as refusal:
            refused.set()
            return str(refusal)

    with ThreadPoolExecutor(2) as threads:
        ends = sorted(threads.map(start, range(2)))

    assert "already runs" in ends[0]
    assert ends[1] == "ran"


def test_a_state_file_of_another_moto_version_is_refused(package_folder: Path, runtime: Path):
    (package_folder / "d").mkdir()
    StateStore(package_folder / "d" / "state.sqlite").save("format", "moto", "0.1")

    with pytest.raises(StartupFailed, match=r"moto 0\.1"), _cloud(package_folder, runtime):
        pass


def test_a_failed_transaction_changes_nothing_and_stream_readers_continue(
    package_folder: Path, runtime: Path
):
    with _cloud(package_folder, runtime) as cloud:
        rows = cloud.client("dynamodb")
        rows.put_item(TableName=_TABLE, Item={"id": {"S": "a"}})
        wait_until(lambda: "published a" in "".join(cloud.logs("F")))
        puts = [{"TableName": _TABLE, "Item": {"id": {"S": name}}} for name in ("b", "a")]
        puts[1]["ConditionExpression"] = "attribute_not_exists(id)"
        with pytest.raises(rows.exceptions.TransactionCanceledException):
            rows.transact_write_items(TransactItems=[{"Put": put} for put in puts])
        rows.put_item(TableName=_TABLE, Item={"id": {"S": "c"}})
        wait_until(lambda: "published c" in "".join(cloud.logs("F")))

        assert {row["id"]["S"] for row in rows.scan(TableName=_TABLE)["Items"]} == {"a", "c"}
        assert "published b" not in "".join(cloud.logs("F"))


def test_each_value_comes_out_as_it_went_in():
    value = {
        "nothing": None,
        "numbers": [1, 2.5, Decimal("1.10")],
        "bytes": b"\xff\x00",
        "at": datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
        "handles": {"b", "a"},
        "pair": ("text", True),
        1: {"$type": "set", "$": []},
    }

    assert decode(encode(value)) == value
    assert encode({"a", "b"}) == encode({"b", "a"})


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
        b'{"$type": "Popen", "$": {}}',
        b'{"$type": "FakeAcl"}',
        b"[",
    ],
    ids=["a pickle", "another class", "without content", "no JSON"],
)
def test_a_state_file_can_create_no_other_objects(data: bytes):
    with pytest.raises(NotEncoded):
        decode(data)


def test_a_state_file_of_pickles_is_refused_without_being_loaded(tmp_path: Path):
    store = StateStore(tmp_path / "state.sqlite")
    harmful = b"cposix\nsystem\n(S'touch " + str(tmp_path / "harmed").encode() + b"'\ntR."
    store._db.execute("UPDATE entries SET value = ? WHERE kind = 'format'", (harmful,))

    with pytest.raises(StartupFailed, match="use another data folder"):
        check_state_file(tmp_path / "state.sqlite")
    assert not (tmp_path / "harmed").exists()
