"""moto as the local cloud runs it, here in this process: the same answers as moto's own, sooner."""

import http.client
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from inspect import unwrap
from itertools import product
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.exceptions import TransactionCanceledException
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import FakeKey

from infra.local.moto_.patches.dynamodb_writes import transact_without_copies
from infra.local.moto_.patches.performance import DirectDispatch
from infra.local.moto_.process import create_http_server

S3 = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, Signature=b"}


def test_a_narrowed_query_answers_as_motos_own(monkeypatch: pytest.MonkeyPatch, table: Any):
    for number in range(24):
        key = {"pk": {"S": f"p{number % 3}"}, "sk": {"S": f"{number:02}"}}
        listed = {"list_key": {"S": f"k{number % 2}"}, "list_at": {"S": f"{number // 3 % 5}"}}
        table.put_item(TableName="t", Item=key | (listed if number % 7 else {"list_key": {"S": "k0"}}))
    narrowed = [_pages(table, asked) for asked in _queries()]

    monkeypatch.setattr(Table, "query", Table.query.__wrapped__)  # type: ignore[attr-defined]

    assert narrowed == [_pages(table, asked) for asked in _queries()]


def test_a_row_comes_out_as_it_went_in(table: Any):
    row = {
        "pk": {"S": "ä"},
        "sk": {"S": "1"},
        "bytes": {"B": b"\x00\xff"},
        "number": {"N": "0.25"},
        "many": {"SS": ["a", "b"]},
        "deep": {"M": {"list": {"L": [{"B": b"\x01"}, {"BOOL": False}, {"NULL": True}]}}},
    }

    table.put_item(TableName="t", Item=row)

    assert table.get_item(TableName="t", Key={"pk": row["pk"], "sk": row["sk"]})["Item"] == row
    assert table.scan(TableName="t")["Items"] == [row]
    assert table.describe_table(TableName="t")["Table"]["CreationDateTime"].year >= 2024


@pytest.mark.parametrize(
    "wrong",
    ["SET a = :n, b = :n, a = :n", "SET a = :n SET b = :n", "ADD a :n REMOVE b ADD c :n", "SET pk = :n"],
)
def test_an_update_that_assigns_an_attribute_twice_is_refused_each_time(table: Any, wrong: str):
    key = {"pk": {"S": "p"}, "sk": {"S": "s"}}
    values = {":n": {"N": "1"}}
    for expression, refused in (("SET a = :n, b = :n ADD c :n", False), (wrong, True), (wrong, True)):
        with pytest.raises(ClientError, match="ValidationException") if refused else nullcontext():
            table.update_item(
                TableName="t", Key=key, UpdateExpression=expression, ExpressionAttributeValues=values
            )

    assert table.get_item(TableName="t", Key=key)["Item"] == key | {
        "a": values[":n"],
        "b": values[":n"],
        "c": values[":n"],
    }


def test_one_connection_serves_every_call(aws: Callable[[str], Any]):
    with _served() as connection:
        line = connection.sock
        for method, path, body in (
            ("PUT", "/bucket", b""),
            ("PUT", "/bucket/k", b"x" * 70_000),
            ("HEAD", "/bucket/k", b""),
        ):
            connection.request(method, path, body, S3)
            assert connection.getresponse().read() == b""
        connection.request("PUT", "/bucket/c", iter([b"one", b"two"]), S3, encode_chunked=True)
        connection.getresponse().read()
        connection.request("GET", "/bucket/c", headers=S3)

        assert connection.getresponse().read() == b"onetwo"
        assert connection.sock is line


def test_a_listing_of_versions_tells_what_motos_own_does(monkeypatch: pytest.MonkeyPatch, bucket: Any):
    for number in range(12):
        bucket.put_object(Bucket="bucket", Key=f"a/{number % 5}", Body=bytes([number]) * number)
    bucket.delete_object(Bucket="bucket", Key="a/1")
    page = {"MaxKeys": 3, "KeyMarker": "a/1"}
    asked: list[dict[str, Any]] = [{}, {"Prefix": "a/1"}, {"Delimiter": "/"}, page]
    told = [_listing(bucket, each) for each in asked]

    monkeypatch.delattr(FakeKey, "__deepcopy__")

    assert told == [_listing(bucket, each) for each in asked]
    assert bucket.get_object(Bucket="bucket", Key="a/4")["Body"].read() == bytes([9]) * 9


def test_a_listing_of_versions_leaves_the_contents_where_they_are(bucket: Any):
    for number in range(20):
        bucket.put_object(Bucket="bucket", Key=f"{number}", Body=bytes(1_000_000))
    bucket.delete_object(Bucket="bucket", Key="7")

    tracemalloc.start()
    try:
        versions = bucket.list_object_versions(Bucket="bucket")["Versions"]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert [each["Size"] for each in versions] == [1_000_000] * 20
    assert most < 1_000_000


@pytest.mark.usefixtures("aws")
def test_an_etag_asked_for_by_two_at_once_is_that_of_the_contents(monkeypatch: pytest.MonkeyPatch):
    key = FakeKey("k", b"contents", account_id="1", region_name="eu-west-1")
    both_there, seek = threading.Barrier(2), key._value_buffer.seek

    def seek_slowly(place: int) -> int:
        at = seek(place)
        with suppress(threading.BrokenBarrierError):
            both_there.wait(timeout=0.2)
        return at

    monkeypatch.setattr(key._value_buffer, "seek", seek_slowly)
    with ThreadPoolExecutor(2) as threads:
        told = set(threads.map(lambda _: key.etag, range(2)))
    key.dispose()

    assert told == {'"98bf7d8c15784f0a3d63204441e1e2aa"'}


def _listing(bucket: Any, asked: Mapping[str, Any]) -> Any:
    listing = bucket.list_object_versions(Bucket="bucket", **asked)
    return {name: value for name, value in listing.items() if name != "ResponseMetadata"}


def _queries() -> Iterator[dict[str, Any]]:
    """Every way of asking for p1's and k0's rows."""
    for forward, limit, (places, values) in product((True, False), (None, 1, 3, 50), RANGES):
        for index, key, place in ((None, "pk", "sk"), ("listing", "list_key", "list_at")):
            values_of = {":key": {"S": "p1" if key == "pk" else "k0"}, **values}
            yield {
                "KeyConditionExpression": f"{key} = :key{places.format(place)}",
                "ExpressionAttributeValues": values_of,
                "ScanIndexForward": forward,
                **({"Limit": limit} if limit else {}),
                **({"IndexName": index} if index else {}),
            }


RANGES: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("", {}),
    (" AND {} < :most", {":most": {"S": "2"}}),
    (" AND {} BETWEEN :least AND :most", {":least": {"S": "07"}, ":most": {"S": "3"}}),
    (" AND begins_with({}, :start)", {":start": {"S": "1"}}),
)


def _pages(table: Any, asked: Mapping[str, Any]) -> list[Any]:
    """Each row of each page."""
    pages = table.get_paginator("query").paginate(TableName="t", **asked)
    return [(row["pk"], row["sk"], page["ScannedCount"]) for page in pages for row in page["Items"]]


@contextmanager
def _served() -> Iterator[http.client.HTTPConnection]:
    moto = DirectDispatch(DomainDispatcherApplication(create_backend_app))
    server = create_http_server(moto, None)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    connection.connect()
    try:
        yield connection
    finally:
        connection.close()
        server.shutdown()
        server.server_close()


CONDITION_CHECK = {
    "ConditionCheck": {
        "TableName": "t",
        "Key": {"pk": {"S": "erasure"}, "sk": {"S": "erasure"}},
        "ConditionExpression": "attribute_not_exists(pk)",
    }
}
PUT = {"Put": {"TableName": "t", "Item": {"pk": {"S": "drop"}, "sk": {"S": "drop"}}}}


def backend() -> DynamoDBBackend:
    found: DynamoDBBackend = dynamodb_backends["123456789012"]["eu-west-1"]
    return found


def test_a_check_that_holds_costs_no_copy_of_the_table(table: Any):
    copied: list[Sequence[Any]] = []

    transact_without_copies(lambda _, items: copied.append(items))(backend(), [PUT, CONDITION_CHECK])

    assert copied == []
    assert table.get_item(TableName="t", Key=PUT["Put"]["Item"])["Item"] == PUT["Put"]["Item"]


def test_a_check_that_does_not_hold_is_refused_in_motos_own_words_and_costs_no_copy_either(table: Any):
    table.put_item(TableName="t", Item=CONDITION_CHECK["ConditionCheck"]["Key"])
    copied: list[Sequence[Any]] = []
    with pytest.raises(TransactionCanceledException) as slow:
        unwrap(DynamoDBBackend.transact_write_items)(backend(), [PUT, CONDITION_CHECK])

    with pytest.raises(TransactionCanceledException) as fast:
        transact_without_copies(lambda _, items: copied.append(items))(backend(), [PUT, CONDITION_CHECK])

    assert fast.value.description == slow.value.description
    assert copied == []
    assert "Item" not in table.get_item(TableName="t", Key=PUT["Put"]["Item"])


@pytest.mark.parametrize(
    "writes",
    [
        [PUT, {"Delete": {"TableName": "t", "Key": CONDITION_CHECK["ConditionCheck"]["Key"]}}],
        [{"Put": PUT["Put"] | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}}],
        [PUT, PUT],
    ],
    ids=["a-delete", "a-row-to-be-seen", "one-row-twice"],
)
def test_what_is_not_plain_is_left_to_moto(table: Any, writes: list[Any]):
    asked: list[Sequence[Any]] = []

    transact_without_copies(lambda _, items: asked.append(items))(backend(), writes)

    assert asked == [writes]
