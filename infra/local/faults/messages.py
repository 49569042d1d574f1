"""Faults of S3 notifications and SQS messages in moto's process, and the ages of messages."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from moto.s3 import notifications
from moto.sqs.models import Message, Queue, SQSBackend, sqs_backends

from infra.local.faults.model import FaultInjector


def patch_message_faults(fault_injector: FaultInjector) -> None:
    """Inject faults into notifications and messages while faults are active."""
    notifications._send_sqs_message = _with_notification_faults(
        notifications._send_sqs_message, fault_injector
    )
    Queue.add_message = _with_arrival_faults(Queue.add_message, fault_injector)  # type: ignore[method-assign]
    SQSBackend.receive_message = _with_redelivery(SQSBackend.receive_message, fault_injector)  # type: ignore[method-assign]


def oldest_message_ages_s() -> dict[str, float]:
    """Return the age of the oldest message of each queue that is not empty."""
    now_ms = time.time() * 1000
    queues: dict[str, Queue] = {}
    for _, _, backend in sqs_backends.iter_backends():
        queues |= cast("SQSBackend", backend).queues
    return {
        name: (now_ms - min(message.sent_timestamp or now_ms for message in messages)) / 1000
        for name, queue in queues.items()
        if (messages := tuple(queue._messages))
    }


def _with_notification_faults(
    send: Callable[..., None], fault_injector: FaultInjector
) -> Callable[..., None]:
    @wraps(send)
    def publish(*notification: Any) -> None:
        faults = fault_injector.faults
        if faults is not None and fault_injector.inject("notification lost", faults.lost_notifications):
            return
        send(*notification)
        if faults is not None and fault_injector.inject(
            "notification doubled", faults.duplicate_notifications
        ):
            send(*notification)

    return publish


def _with_arrival_faults(add: Callable[..., None], fault_injector: FaultInjector) -> Callable[..., None]:
    @wraps(add)
    def added(queue: Queue, message: Message) -> None:
        faults = fault_injector.faults
        if faults is not None and fault_injector.inject("message delayed", faults.delayed_messages):
            wait_s = faults.max_delay_s * fault_injector.random.draw("delay")
            message.delayed_until = (time.time() + wait_s) * 1000
        add(queue, message)
        if faults is not None and fault_injector.inject("message reordered", faults.reordered_messages):
            with queue._messages_lock:
                queue._messages.reverse()

    return added


def _with_redelivery(
    receive: Callable[..., list[Message]], fault_injector: FaultInjector
) -> Callable[..., list[Message]]:
    @wraps(receive)
    def received(backend: SQSBackend, queue_name: str, *arguments: Any, **named: Any) -> list[Message]:
        messages = receive(backend, queue_name, *arguments, **named)
        faults = fault_injector.faults
        if faults is not None and messages:
            again = {
                one.id
                for one in messages
                if fault_injector.inject("message redelivered", faults.redelivered_messages)
            }
            for one in backend.get_queue(queue_name)._messages:
                if one.id in again:
                    one.visible_at = 0.0
        return messages

    return received
