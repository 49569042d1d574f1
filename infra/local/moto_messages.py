"""Faults of messages (S3's notifications and what queues hand out), and their ages: inside moto's process."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from moto.s3 import notifications
from moto.sqs.models import Message, Queue, SQSBackend, sqs_backends

from infra.local.faults import Trouble


def disturb(trouble: Trouble) -> None:
    """From here on, in this process, whenever there is trouble."""
    notifications._send_sqs_message = _told(notifications._send_sqs_message, trouble)
    Queue.add_message = _added(Queue.add_message, trouble)  # type: ignore[method-assign]
    SQSBackend.receive_message = _received(SQSBackend.receive_message, trouble)  # type: ignore[method-assign]


def oldest_s() -> dict[str, float]:
    """How long the oldest message of each queue that holds any was sent ago."""
    now_ms = time.time() * 1000
    queues: dict[str, Queue] = {}
    for _, _, backend in sqs_backends.iter_backends():
        queues |= cast("SQSBackend", backend).queues
    return {
        name: (now_ms - min(message.sent_timestamp or now_ms for message in messages)) / 1000
        for name, queue in queues.items()
        if (messages := tuple(queue._messages))
    }


def _told(tell: Callable[..., None], trouble: Trouble) -> Callable[..., None]:
    @wraps(tell)
    def told(*notification: Any) -> None:
        faults = trouble.faults
        if faults is not None and trouble.happens("notification lost", faults.lost):
            return
        tell(*notification)
        if faults is not None and trouble.happens("notification doubled", faults.doubled):
            tell(*notification)

    return told


def _added(add: Callable[..., None], trouble: Trouble) -> Callable[..., None]:
    @wraps(add)
    def added(queue: Queue, message: Message) -> None:
        faults = trouble.faults
        if faults is not None and trouble.happens("message delayed", faults.delayed):
            wait_s = faults.delay_s * trouble.dice.roll("delay")
            message.delayed_until = (time.time() + wait_s) * 1000
        add(queue, message)
        if faults is not None and trouble.happens("message reordered", faults.reordered):
            with queue._messages_lock:
                queue._messages.reverse()

    return added


def _received(receive: Callable[..., list[Message]], trouble: Trouble) -> Callable[..., list[Message]]:
    @wraps(receive)
    def received(backend: SQSBackend, queue_name: str, *arguments: Any, **named: Any) -> list[Message]:
        messages = receive(backend, queue_name, *arguments, **named)
        faults = trouble.faults
        if faults is not None and messages:
            again = {one.id for one in messages if trouble.happens("message redelivered", faults.redelivered)}
            for one in backend.get_queue(queue_name)._messages:
                if one.id in again:
                    one.visible_at = 0.0
        return messages

    return received
