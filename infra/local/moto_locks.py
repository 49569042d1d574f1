"""What moto leaves to chance when several requests come at once, made safe inside its process.

moto's stores are plain objects that look first and write later. Read closely, two receivers could take
the same message, a deletion could put back a list from before a message was added, two conditional writes
could both find their condition true, two uploads of one key could leave one version, and two could work out
an object's ETag at once, from one buffer. The windows are a few instructions wide and nothing was ever seen
to go wrong in them, but a system that promises to lose nothing should not be tested on luck.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.dynamodb.responses import DynamoHandler
from moto.s3.models import FakeKey, S3Backend
from moto.sqs.models import Queue, SQSBackend

tables = threading.RLock()
"""Held by whoever looks at DynamoDB or its streams."""

_objects = threading.RLock()


def lock() -> None:
    """Let DynamoDB and S3's writes do one thing at a time, and each queue one receive or delete."""
    DynamoHandler.call_action = _one_at_a_time(DynamoHandler.call_action, tables)  # type: ignore[method-assign]
    S3Backend.put_object = _one_at_a_time(S3Backend.put_object, _objects)  # type: ignore[method-assign]
    S3Backend.delete_object = _one_at_a_time(S3Backend.delete_object, _objects)  # type: ignore[method-assign]
    etag: Any = vars(FakeKey)["etag"]
    FakeKey.etag = property(_holding_key(etag.fget))  # type: ignore[method-assign, assignment]
    Queue.delete_message = _holding_queue(Queue.delete_message)  # type: ignore[method-assign]
    SQSBackend.receive_message = _holding_named_queue(SQSBackend.receive_message)  # type: ignore[method-assign]


def _one_at_a_time(action: Callable[..., Any], lock: threading.RLock) -> Callable[..., Any]:
    @wraps(action)
    def locked(*arguments: Any, **named: Any) -> Any:
        with lock:
            return action(*arguments, **named)

    return locked


def _holding_key(etag: Callable[[FakeKey], str]) -> Callable[[FakeKey], str]:
    @wraps(etag)
    def locked(key: FakeKey) -> str:
        with key.lock:
            return etag(key)

    return locked


def _holding_queue(action: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(action)
    def locked(queue: Queue, *arguments: Any, **named: Any) -> Any:
        with queue._messages_lock:
            return action(queue, *arguments, **named)

    return locked


def _holding_named_queue(action: Callable[..., Any]) -> Callable[..., Any]:
    """The lock is a condition: a receiver that waits for messages lets go of it meanwhile."""

    @wraps(action)
    def locked(backend: SQSBackend, queue_name: str, *arguments: Any, **named: Any) -> Any:
        with backend.get_queue(queue_name)._messages_lock:
            return action(backend, queue_name, *arguments, **named)

    return locked
