"""moto keeps every object, notification and receipt handle for its own tests; AWS keeps none of them for
clients; moto would need an option to keep none, because a cloud that runs for days exhausts its memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.core.common_models import BaseModel
from moto.sns.models import Topic
from moto.sqs.models import Message, Queue

_MAX_RECEIPTS = 20_000
"""Number of receipt handles of deleted messages that can be deleted again."""


def patch_memory_growth() -> None:
    """Limit what moto keeps."""
    BaseModel.__new__ = _new_untracked  # type: ignore[method-assign]
    Topic.publish = _without_sent_notifications(Topic.publish)  # type: ignore[method-assign]
    Queue.__init__ = _with_bounded_deletions(Queue.__init__)  # type: ignore[method-assign]
    Message.mark_received = _with_bounded_receipts(Message.mark_received)  # type: ignore[method-assign]


def _new_untracked(cls: type[BaseModel], *_arguments: Any, **_named: Any) -> BaseModel:
    return object.__new__(cls)


def _without_sent_notifications(publish: Callable[..., str]) -> Callable[..., str]:
    @wraps(publish)
    def published(topic: Topic, *arguments: Any, **named: Any) -> str:
        ident = publish(topic, *arguments, **named)
        topic.sent_notifications.clear()
        return ident

    return published


def _with_bounded_deletions(make: Callable[..., None]) -> Callable[..., None]:
    @wraps(make)
    def restored(queue: Queue, *arguments: Any, **named: Any) -> None:
        make(queue, *arguments, **named)
        queue.deleted_messages = _BoundedSet()

    return restored


def _with_bounded_receipts(receive: Callable[..., None]) -> Callable[..., None]:
    @wraps(receive)
    def received(message: Message, *arguments: Any, **named: Any) -> None:
        receive(message, *arguments, **named)
        del message._old_receipt_handles[:-10]

    return received


class _BoundedSet(set[str]):
    """A set that removes its oldest elements."""

    def __init__(self) -> None:
        super().__init__()
        self._order: deque[str] = deque()

    def update(self, *others: Any) -> None:
        """Add elements and remove the oldest above the limit."""
        for values in others:
            super().update(values)
            self._order.extend(values)
        while len(self._order) > _MAX_RECEIPTS:
            self.discard(self._order.popleft())
