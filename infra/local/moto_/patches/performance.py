"""moto serialises items by trying every type, repeats constant work for each call, reads the clock for every
message of a queue, and copies all contents for a listing of versions; AWS answers in milliseconds; moto would
have to cache the constants, serialise items directly and copy no contents.

A read of one item spent most of its time on attribute types, then on listing moto's own modules and methods
and on routing in Flask. For each message sent, moto counts the whole queue with a clock for frozen time.
"""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from moto import backends
from moto.core import responses
from moto.core.request import Request
from moto.core.responses import ActionContext
from moto.core.utils import method_names_from_class
from moto.dynamodb.parsing.expressions import UpdateExpressionParser  # type: ignore[attr-defined]
from moto.dynamodb.parsing.validators import ActionCountValidator, OverlappingPathsValidator
from moto.dynamodb.responses import DynamoHandler, DynamoResult
from moto.dynamodbstreams.responses import DynamoDBStreamsHandler
from moto.s3.models import FakeKey
from moto.sqs import models as sqs_models
from moto.sqs.responses import SQSResponse

from infra.local.moto_.server import Application

_DIRECT_SERVICES: Mapping[str, Any] = {
    "DynamoDB_20120810": DynamoHandler,
    "DynamoDBStreams_20120810": DynamoDBStreamsHandler,
    "AmazonSQS": SQSResponse,
}
"""Handlers of services with a single route, by the prefix of X-Amz-Target."""

_CLOSED_BUFFER = io.BytesIO()
_CLOSED_BUFFER.close()
"""Reading a copy without contents raises ValueError."""


def patch_performance() -> None:
    """Replace the slow parts of moto in this process."""
    modules = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules
    responses.method_names_from_class = cache(method_names_from_class)  # type: ignore[attr-defined]
    DynamoResult.execute_result = _to_json_response  # type: ignore[assignment, method-assign]
    UpdateExpressionParser.make = lru_cache(UpdateExpressionParser.make)
    for check in (ActionCountValidator, OverlappingPathsValidator):
        check.traverse = _process_once
    FakeKey.__deepcopy__ = _copy_without_contents  # type: ignore[attr-defined]
    sqs_models.unix_time_millis = _unix_time_ms  # type: ignore[attr-defined, assignment]


def _unix_time_ms() -> float:
    return time.time() * 1000


class DirectDispatch:
    """A WSGI application that passes calls of these services to moto's handlers without Flask."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        service, _, _ = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
        if service not in _DIRECT_SERVICES:
            return self._application(environ, start)
        status, headers, body = _DIRECT_SERVICES[service].dispatch(Request(environ))
        start(f"{status} OK", [(name, str(value)) for name, value in headers.items()])
        return [body if isinstance(body, bytes) else body.encode()]


def _to_json_response(result: DynamoResult, _: ActionContext) -> tuple[int, dict[str, Any], str]:
    """Serialise a result that already has the format of the wire."""
    rows: Any = result.result
    document = {name: value for name, value in rows.items() if value is not None}
    return 200, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(document, default=_to_json_value)


def _process_once(check: Any, expression: Any) -> Any:
    """Validate an expression once; moto validates every part of every part again."""
    return check.process(expression)


def _copy_without_contents(key: FakeKey, _: Mapping[int, Any]) -> FakeKey:
    """Copy an object for a listing, without its contents."""
    key.etag  # noqa: B018 - moto computes it from the contents
    copied = object.__new__(FakeKey)
    vars(copied).update(vars(key), _value_buffer=_CLOSED_BUFFER, multipart=None, disposed=True)
    return copied


def _to_json_value(value: Any) -> Any:
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.timestamp()
    raise TypeError(f"no JSON for {type(value).__name__}")
