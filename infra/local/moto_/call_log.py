"""The log of the calls that functions make to AWS, with the units that DynamoDB would charge for each."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends

from infra.local.faults.aws_calls import service_name, worker_pid
from infra.local.moto_.capacity_units import Index, Item, item_size, read_units, write_units
from infra.local.moto_.server import Application

_REGION = re.compile(r"Credential=[^/]+/[^/]+/([^/]+)/")
_QUERY_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")
_S3_CALLS = {"GET": "Get", "HEAD": "Head", "PUT": "Put", "DELETE": "Delete", "POST": "Post"}


@dataclass(frozen=True, slots=True)
class AwsCall:
    """One call of a worker.

    write_units  by table, or table/index
    read_units   of DynamoDB
    """

    worker: int
    service: str
    operation: str
    request_bytes: int
    response_bytes: int
    write_units: Mapping[str, int] = field(default_factory=dict)
    read_units: float = 0.0


class CallLog:
    """A WSGI application that writes down the calls of workers while it records, and forwards every call."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._calls: list[AwsCall] | None = None

    def begin(self, _: Any = None) -> None:
        """Record from now on."""
        self._calls = []

    def end(self, _: Any = None) -> list[dict[str, Any]]:
        """Record no more; the calls since `begin`."""
        calls, self._calls = self._calls or [], None
        return [asdict(call) for call in calls]

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        worker = worker_pid(environ.get("HTTP_USER_AGENT", ""))
        if self._calls is None or worker is None:
            return self._application(environ, start)
        request = environ["wsgi.input"].read()
        environ = {**environ, "wsgi.input": io.BytesIO(request)}
        service, operation = _called(environ, request)
        touched = _DynamoCall.parse(environ, operation, request) if service == "dynamodb" else None
        response = b"".join(self._application(environ, start))
        units: dict[str, Any] = touched.units(response) if touched else {}
        self._calls.append(AwsCall(worker, service, operation, len(request), len(response), **units))
        return [response]


def _called(environ: Mapping[str, Any], request: bytes) -> tuple[str, str]:
    """The service, by boto3's name, and the operation."""
    service = service_name(environ.get("HTTP_AUTHORIZATION", ""))
    target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    if target:
        return service, target
    if action := _QUERY_ACTION.search(request):
        return service, action[1].decode()
    what = "Object" if environ["PATH_INFO"].strip("/").count("/") else "Bucket"
    return service, _S3_CALLS.get(environ["REQUEST_METHOD"], "") + what


@dataclass(frozen=True, slots=True)
class _Write:
    table: str
    key: Item
    before: Item | None


@dataclass(frozen=True, slots=True)
class _DynamoCall:
    """A call of DynamoDB, with the items that it may write as they were before."""

    backend: DynamoDBBackend
    operation: str
    request: Mapping[str, Any]
    writes: Sequence[_Write]

    @classmethod
    def parse(cls, environ: Mapping[str, Any], operation: str, body: bytes) -> _DynamoCall:
        region = _REGION.search(environ.get("HTTP_AUTHORIZATION", ""))
        backend = dynamodb_backends[DEFAULT_ACCOUNT_ID][region[1] if region else "us-east-1"]
        request = json.loads(body)
        found = [
            _Write(table, key, _stored(backend, table, key))
            for table, row in _written(operation, request)
            for key in [{name: row[name] for name in _table_keys(backend, table) if name in row}]
        ]
        return cls(backend, operation, request, found)

    def units(self, response: bytes) -> dict[str, Any]:
        """The units as fields of AwsCall."""
        if self.writes:
            return {"write_units": dict(self._write_units())}
        answer = json.loads(response or b"{}")
        return {"read_units": sum(self._reads(answer))}

    def _write_units(self) -> Counter[str]:
        """A write that changed nothing, because its condition did not hold, costs as much as the item has."""
        total: Counter[str] = Counter()
        transactional = self.operation == "TransactWriteItems"
        for write in self.writes:
            units = write_units(
                write.before,
                _stored(self.backend, write.table, write.key),
                table_keys=_table_keys(self.backend, write.table),
                indexes=_indexes(self.backend, write.table),
                transactional=transactional,
            )
            for index, number in units.items():
                total[f"{write.table}/{index}" if index else write.table] += number
        return total

    def _reads(self, answer: Mapping[str, Any]) -> Iterator[float]:
        request = self.request
        match self.operation:
            case "GetItem":
                yield self._read(request, [_stored(self.backend, request["TableName"], request["Key"])])
            case "Query" | "Scan":
                yield self._read(request, answer.get("Items", ()))
            case "BatchGetItem":
                for table, one in request["RequestItems"].items():
                    for key in one["Keys"]:
                        yield self._read(one, [_stored(self.backend, table, key)])

    def _read(self, request: Mapping[str, Any], rows: Sequence[Item | None]) -> float:
        sizes = [item_size(row) for row in rows if row]
        return read_units(sizes, consistent=bool(request.get("ConsistentRead")))


def _written(operation: str, request: Mapping[str, Any]) -> Iterator[tuple[str, Item]]:
    """(table, item or key) of each write; the check of a condition in a transaction is charged like one."""
    match operation:
        case "PutItem" | "UpdateItem" | "DeleteItem":
            yield request["TableName"], request.get("Item") or request["Key"]
        case "TransactWriteItems":
            for action in request["TransactItems"]:
                for one in action.values():
                    yield one["TableName"], one.get("Item") or one["Key"]
        case "BatchWriteItem":
            for table, actions in request["RequestItems"].items():
                for action in actions:
                    for one in action.values():
                        yield table, one.get("Item") or one["Key"]


def _stored(backend: DynamoDBBackend, table: str, key: Item) -> Item | None:
    row = backend.get_item(table, dict(key))
    return None if row is None else dict(row.to_json()["Attributes"])


def _table_keys(backend: DynamoDBBackend, name: str) -> list[str]:
    table = backend.get_table(name)
    return [key for key in (table.hash_key_attr, table.range_key_attr) if key]


def _indexes(backend: DynamoDBBackend, name: str) -> list[Index]:
    return [
        Index(
            one.name,
            tuple(str(key["AttributeName"]) for key in one.schema),
            None
            if one.projection.get("ProjectionType") == "ALL"
            else frozenset(one.projection.get("NonKeyAttributes") or ()),
        )
        for one in backend.get_table(name).global_indexes
    ]
