"""What moto remembers for its own tests, and a cloud that runs for days must not: made to be forgotten."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.core.common_models import BaseModel
from moto.sns.models import Topic
from moto.sqs.models import Message, Queue

_RECEIPTS = 20_000
"""Receipts of deleted messages that can be deleted once more."""


def forget() -> None:
    """From here on, in this process."""
    BaseModel.__new__ = _untracked  # type: ignore[method-assign]
    Topic.publish = _unheard(Topic.publish)  # type: ignore[method-assign]
    Queue.__init__ = _short_memory(Queue.__init__)  # type: ignore[method-assign]
    Message.mark_received = _few_receipts(Message.mark_received)  # type: ignore[method-assign]


def _untracked(cls: type[BaseModel], *_arguments: Any, **_named: Any) -> BaseModel:
    return object.__new__(cls)


def _unheard(publish: Callable[..., str]) -> Callable[..., str]:
    @wraps(publish)
    def published(topic: Topic, *arguments: Any, **named: Any) -> str:
        ident = publish(topic, *arguments, **named)
        topic.sent_notifications.clear()
        return ident

    return published


def _short_memory(make: Callable[..., None]) -> Callable[..., None]:
    @wraps(make)
    def made(queue: Queue, *arguments: Any, **named: Any) -> None:
        make(queue, *arguments, **named)
        queue.deleted_messages = _Latest()

    return made


def _few_receipts(receive: Callable[..., None]) -> Callable[..., None]:
    @wraps(receive)
    def received(message: Message, *arguments: Any, **named: Any) -> None:
        receive(message, *arguments, **named)
        del message._old_receipt_handles[:-10]

    return received


class _Latest(set[str]):
    """A set that lets go of what came first."""

    def __init__(self) -> None:
        super().__init__()
        self._order: deque[str] = deque()

    def update(self, *others: Any) -> None:
        """Add, and drop what is too old."""
        for other in others:
            super().update(other)
            self._order.extend(other)
        while len(self._order) > _RECEIPTS:
            self.discard(self._order.popleft())
