"""moto delivers the messages of a standard queue in their order; SQS prefers quiet tenants while one tenant
(MessageGroupId) takes a large share of the consumers; moto would have to measure the shares.

Rules and thresholds: "How Amazon SQS fair queues work", Amazon SQS Developer Guide
(sqs-fair-queues-detailed.html). A message without a group is a tenant of its own.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

from moto.sqs.models import Message, Queue

MAX_SHARE = 0.1
"""A larger share of the processing time, or of the messages in flight, makes a tenant noisy."""

MIN_IN_FLIGHT = 30
"""The share of messages in flight counts for tenants with this number of them."""

_WINDOW_S = 60.0
"""AWS does not publish its window."""

_Processed = deque[tuple[float, str, float]]
_processed_by_queue: WeakKeyDictionary[Queue, _Processed] = WeakKeyDictionary()
"""(when, group, seconds) of each deleted message of the window."""


def patch_fair_queues() -> None:
    """Deliver messages of noisy tenants after all others."""
    Queue.messages = property(_quiet_first(Queue.messages.fget))  # type: ignore[method-assign, assignment, attr-defined]
    Queue.delete_message = _with_processing_time(Queue.delete_message)  # type: ignore[method-assign, assignment]


def _quiet_first(visible: Callable[[Queue], list[Message]]) -> Callable[[Queue], list[Message]]:
    @wraps(visible)
    def messages(queue: Queue) -> list[Message]:
        found = visible(queue)
        if queue.fifo_queue or not any(one.group_id for one in found):
            return found
        noisy = noisy_groups(queue, time.time())
        return sorted(found, key=lambda one: one.group_id in noisy)

    return messages


def noisy_groups(queue: Queue, now_s: float) -> set[str]:
    """The groups that take more than their share of the consumers now."""
    processed = _processed_by_queue.get(queue, deque())
    while processed and processed[0][0] < now_s - _WINDOW_S:
        processed.popleft()
    spent_s: Counter[str] = Counter()
    for _, group, seconds in processed:
        spent_s[group] += seconds  # type: ignore[assignment]
    in_flight = [one for one in queue._messages if not one.visible]
    for one in in_flight:
        spent_s[one.group_id or ""] += _processing_s(one, now_s)  # type: ignore[assignment]
    held = Counter(one.group_id or "" for one in in_flight)
    slow = {group for group, seconds in spent_s.items() if seconds > MAX_SHARE * spent_s.total()}
    many = {
        group for group, count in held.items() if count >= MIN_IN_FLIGHT and count > MAX_SHARE * held.total()
    }
    return (slow | many) - {""}


def _with_processing_time(delete: Callable[[Queue, str], None]) -> Callable[[Queue, str], None]:
    @wraps(delete)
    def deleted(queue: Queue, receipt_handle: str) -> None:
        now_s = time.time()
        processed = _processed_by_queue.setdefault(queue, deque())
        processed += [
            (now_s, one.group_id or "", _processing_s(one, now_s))
            for one in queue._messages
            if one.had_receipt_handle(receipt_handle)
        ]
        delete(queue, receipt_handle)

    return deleted


def _processing_s(message: Message, now_s: float) -> float:
    """Seconds since the first receive, which is when the consumer began if it is the only one."""
    received_ms: Any = message.approximate_first_receive_timestamp
    return max(0.0, now_s - received_ms / 1000) if received_ms else 0.0
