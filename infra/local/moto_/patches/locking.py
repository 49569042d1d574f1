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
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any

from moto.dynamodb.responses import DynamoHandler
from moto.s3.models import FakeKey, S3Backend
from moto.sqs.models import Queue, SQSBackend

dynamodb_lock = threading.RLock()
"""Held by whoever looks at DynamoDB or its streams."""

_s3_lock = threading.RLock()


def patch_locking() -> None:
    """Let DynamoDB and S3's writes do one thing at a time, and each queue one receive or delete."""
    DynamoHandler.call_action = _with_lock(lambda *_: dynamodb_lock, DynamoHandler.call_action)  # type: ignore[method-assign]
    S3Backend.put_object = _with_lock(lambda *_: _s3_lock, S3Backend.put_object)  # type: ignore[method-assign]
    S3Backend.delete_object = _with_lock(lambda *_: _s3_lock, S3Backend.delete_object)  # type: ignore[method-assign]
    etag: Any = vars(FakeKey)["etag"]
    FakeKey.etag = property(_with_lock(lambda key: key.lock, etag.fget))  # type: ignore[method-assign, assignment]
    Queue.delete_message = _with_lock(lambda queue, *_: queue._messages_lock, Queue.delete_message)  # type: ignore[method-assign]
    SQSBackend.receive_message = _with_lock(_queue_lock, SQSBackend.receive_message)  # type: ignore[method-assign]


def _queue_lock(backend: SQSBackend, queue_name: str, *_: Any) -> AbstractContextManager[Any]:
    """The lock is a condition: a receiver that waits for messages lets go of it meanwhile."""
    return backend.get_queue(queue_name)._messages_lock


def _with_lock(
    lock: Callable[..., AbstractContextManager[Any]], action: Callable[..., Any]
) -> Callable[..., Any]:
    """`lock` finds it from what the action is called with."""

    @wraps(action)
    def locked(*arguments: Any, **named: Any) -> Any:
        with lock(*arguments):
            return action(*arguments, **named)

    return locked
