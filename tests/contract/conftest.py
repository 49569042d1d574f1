"""AWS by moto, in this process, with the patches of the local cloud."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.expressions import UpdateExpressionParser  # type: ignore[attr-defined]
from moto.dynamodb.parsing.validators import ActionCountValidator, OverlappingPathsValidator
from moto.dynamodb.responses import DynamoHandler, DynamoResult
from moto.s3.models import FakeKey, S3Backend
from moto.sqs.models import Queue, SQSBackend

from infra.local.moto_.patches.dynamodb_writes import patch_writes
from infra.local.moto_.patches.locking import patch_locking
from infra.local.moto_.patches.performance import patch_performance
from infra.local.moto_.patches.query_by_key import patch_queries
from tests.fakes.aws import mocked_client

PATCHED_ATTRIBUTES = (
    (Table, "query"),
    (DynamoDBBackend, "update_item"),
    (DynamoDBBackend, "transact_write_items"),
    (DynamoResult, "execute_result"),
    (UpdateExpressionParser, "make"),
    (ActionCountValidator, "traverse"),
    (OverlappingPathsValidator, "traverse"),
    (DynamoHandler, "call_action"),
    (S3Backend, "put_object"),
    (S3Backend, "delete_object"),
    (FakeKey, "etag"),
    (Queue, "delete_message"),
    (SQSBackend, "receive_message"),
)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Return the client of a service; the services are empty at the start of each test."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setattr(FakeKey, "__deepcopy__", None, raising=False)
    for owner, name in PATCHED_ATTRIBUTES:
        monkeypatch.setattr(owner, name, getattr(owner, name))  # so that they are put back afterwards
    patch_moto()
    with mock_aws():
        yield mocked_client


def patch_moto() -> None:
    """What the local cloud corrects in moto and these tests need."""
    patch_locking()
    patch_queries()
    patch_performance()
    patch_writes()


@pytest.fixture
def sqs(aws: Callable[[str], Any]) -> Any:
    """An SQS client."""
    return aws("sqs")


@pytest.fixture
def table(aws: Callable[[str], Any]) -> Any:
    """A DynamoDB client that has the empty tables "t" and "faces" with keys pk and sk."""
    client = aws("dynamodb")
    create_tables(client)
    return client


def create_tables(client: Any) -> None:
    """The tables "t" and "faces"."""
    key_schema = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    indexes = {"listing": "list_key", "object": "object", "subject": "subject"}
    client.create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"}
            for name in ("pk", "sk", "list_at", "completed_key", "completed_at", *indexes.values())
        ],
        KeySchema=key_schema,
        GlobalSecondaryIndexes=[
            _index("completed", "completed_key", "completed_at"),
            *(_index(name, key) for name, key in indexes.items()),
        ],
    )
    client.create_table(
        TableName="faces",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=key_schema,
    )


@pytest.fixture
def people_table(aws: Callable[[str], Any]) -> Any:
    """A DynamoDB client that has an empty table "people" with its index."""
    client = aws("dynamodb")
    client.create_table(
        TableName="people",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "list_key", "person")
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[_index("listing", "list_key", "person")],
    )
    return client


@pytest.fixture
def bucket(aws: Callable[[str], Any]) -> Any:
    """An S3 client that has a versioned bucket "bucket"."""
    client = aws("s3")
    client.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    return client


def _index(name: str, key: str, sort_key: str = "list_at") -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [
            {"AttributeName": key, "KeyType": "HASH"},
            {"AttributeName": sort_key, "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "ALL"},
    }
