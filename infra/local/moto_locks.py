"""What moto leaves to chance when several requests come at once, made safe inside its process.

moto's stores are plain objects that look first and write later. Read closely, two receivers could take
the same message, a deletion could put back a list from before a message was added, and two conditional
writes could both find their condition true. The windows are a few instructions wide and nothing was ever
seen to go wrong in them, but a system that promises to lose nothing should not be tested on luck.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.dynamodb.responses import DynamoHandler
from moto.sqs.models import Queue, SQSBackend

_tables = threading.RLock()


def lock() -> None:
    """Let DynamoDB do one action at a time, and each queue one receive or delete."""
    DynamoHandler.call_action = _one_at_a_time(DynamoHandler.call_action)  # type: ignore[method-assign]
    Queue.delete_message = _holding_queue(Queue.delete_message)  # type: ignore[method-assign]
    SQSBackend.receive_message = _holding_named_queue(SQSBackend.receive_message)  # type: ignore[method-assign]


def _one_at_a_time(action: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(action)
    def locked(*arguments: Any, **named: Any) -> Any:
        with _tables:
            return action(*arguments, **named)

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
