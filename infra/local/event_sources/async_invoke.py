"""Asynchronous invocations, and the delivery of documents to functions, queues and topics."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from infra.local.clients import AwsClients
from infra.local.cloudformation.names import AwsLocation
from infra.local.errors import Throttled, UnsupportedFeature
from infra.local.lambda_.logs import FunctionLogs
from infra.local.lambda_.service import LambdaService
from infra.local.process import ThreadSupervisor, Timer

_MAX_CONCURRENCY = 32
_MAX_RETRIES = 2
_THROTTLE_RETRY_S = 0.5


class Destinations:
    """Sends a document to an ARN; a function receives it as an asynchronous event."""

    def __init__(self, clients: AwsClients, location: AwsLocation) -> None:
        self._clients = clients
        self._location = location
        self.invoke_async: Callable[[str, bytes], object] = _reject_early_event

    def send_json(self, arn: str, document: Mapping[str, Any]) -> None:
        """Deliver a document as JSON."""
        text = json.dumps(document)
        service = arn.split(":")[2]
        if service == "lambda":
            self.invoke_async(arn, text.encode())
        elif service == "sqs":
            url = self._location.queue_url_of_arn(arn)
            self._clients.get("sqs").send_message(QueueUrl=url, MessageBody=text)
        else:
            self._clients.get("sns").publish(TopicArn=arn, Message=text)


def validate_destination(arn: str, where: str, *services: str) -> None:
    """Refuse a destination that does not belong to one of these services."""
    if arn.split(":")[2:3] not in ([service] for service in services):
        raise UnsupportedFeature(where, f"the destination {arn}: only {' or '.join(services)}")


def _reject_early_event(arn: str, payload: bytes) -> None:
    raise UnsupportedFeature(arn, f"an event of {len(payload)} bytes before the functions exist")


@dataclass(frozen=True, slots=True)
class _AsyncEvent:
    function: str
    payload: bytes
    request_id: str
    attempts: int = 0


class AsyncInvoker:
    """Lambda's internal queue of asynchronous events: two retries, then the event is dropped.

    AWS waits one minute before the first retry and two before the second; `retry_s` are the waits here.
    """

    def __init__(
        self,
        functions: LambdaService,
        *,
        timer: Timer,
        supervisor: ThreadSupervisor,
        logs: FunctionLogs,
        retry_s: Sequence[float],
    ) -> None:
        self._functions = functions
        self._timer = timer
        self._supervisor = supervisor
        self._logs = logs
        self._retry_s = retry_s
        self._pending_count = 0
        self._lock = threading.Lock()
        self._executor = ThreadPoolExecutor(_MAX_CONCURRENCY, thread_name_prefix="async")

    @property
    def pending_count(self) -> int:
        """Number of accepted events that have not ended, including those that wait for a retry."""
        return self._pending_count

    def enqueue(self, function: str, payload: bytes) -> str:
        """Accept an event; returns its request id."""
        event = _AsyncEvent(self._functions.find(function).name, payload, str(uuid.uuid4()))
        with self._lock:
            self._pending_count += 1
        self._submit(event)
        return event.request_id

    def stop(self) -> None:
        """Accept no more events and drop those that wait."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _submit(self, event: _AsyncEvent) -> None:
        if not self._supervisor.stopping.is_set():
            self._executor.submit(
                self._supervisor.run_guarded, f"async-{event.function}", lambda: self._try_event(event)
            )

    def _try_event(self, event: _AsyncEvent) -> None:
        try:
            result = self._functions.invoke(event.function, event.payload, event.request_id)
        except Throttled:
            self._timer.call_later(_THROTTLE_RETRY_S, lambda: self._submit(event))
            return
        if result.error is not None and event.attempts < _MAX_RETRIES:
            wait_s = self._retry_s[min(event.attempts, len(self._retry_s) - 1)]
            self._timer.call_later(wait_s, lambda: self._submit(replace(event, attempts=event.attempts + 1)))
            return
        if result.error is not None:
            self._logs.write(event.function, [f"DROPPED RequestId: {event.request_id} after all retries"])
        with self._lock:
            self._pending_count -= 1
