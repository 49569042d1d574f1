"""moto reads and writes its stores without locks; AWS's operations are atomic; moto would have to lock them.

Without locks two receivers can get the same message, a deletion can restore a list from before a message was
added, two conditional writes can both succeed, two uploads of a key can leave one version, and two readers
can compute a wrong ETag from one buffer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any

from moto.dynamodb.responses import DynamoHandler
from moto.s3.models import FakeKey, S3Backend
from moto.sqs.models import Queue, SQSBackend

dynamodb_lock = threading.RLock()
"""Held during every call of DynamoDB and of its streams."""

_s3_lock = threading.RLock()


def patch_locking() -> None:
    """Serialise calls of DynamoDB, writes of S3, and receives and deletes of each queue."""
    DynamoHandler.call_action = _with_lock(lambda *_: dynamodb_lock, DynamoHandler.call_action)  # type: ignore[method-assign]
    S3Backend.put_object = _with_lock(lambda *_: _s3_lock, S3Backend.put_object)  # type: ignore[method-assign]
    S3Backend.delete_object = _with_lock(lambda *_: _s3_lock, S3Backend.delete_object)  # type: ignore[method-assign]
    etag: Any = vars(FakeKey)["etag"]
    FakeKey.etag = property(_with_lock(lambda key: key.lock, etag.fget))  # type: ignore[method-assign, assignment]
    Queue.delete_message = _with_lock(lambda queue, *_: queue._messages_lock, Queue.delete_message)  # type: ignore[method-assign]
    SQSBackend.receive_message = _with_lock(_queue_lock, SQSBackend.receive_message)  # type: ignore[method-assign]


def _queue_lock(backend: SQSBackend, queue_name: str, *_: Any) -> AbstractContextManager[Any]:
    """Return the queue's condition; a receiver that waits for messages releases it meanwhile."""
    return backend.get_queue(queue_name)._messages_lock


def _with_lock(
    lock: Callable[..., AbstractContextManager[Any]], action: Callable[..., Any]
) -> Callable[..., Any]:
    """Hold the lock that `lock` returns for the arguments of `action`."""

    @wraps(action)
    def locked(*arguments: Any, **named: Any) -> Any:
        with lock(*arguments):
            return action(*arguments, **named)

    return locked
