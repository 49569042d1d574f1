"""Where the outcome of an invocation is sent: a queue, a topic or another function."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from infra.local.clients import AwsClients
from infra.local.cloudformation.names import AwsLocation
from infra.local.errors import Throttled, UnsupportedFeature
from infra.local.lambda_.logs import FunctionLogs
from infra.local.lambda_.service import InvocationResult, LambdaService
from infra.local.threads import ThreadSupervisor, Timer


class Destinations:
    """Sends a document to an ARN; a function gets it by `start`, without waiting."""

    def __init__(self, clients: AwsClients, location: AwsLocation) -> None:
        self._clients = clients
        self._location = location
        self.invoke_async: Callable[[str, bytes], object] = _reject_early_event

    def send_json(self, arn: str, document: Mapping[str, Any]) -> None:
        """Deliver as JSON."""
        self.send_text(arn, json.dumps(document))

    def send_text(self, arn: str, text: str) -> None:
        """Deliver as it is."""
        service = arn.split(":")[2]
        if service == "lambda":
            self.invoke_async(arn, text.encode())
        elif service == "sqs":
            url = self._location.queue_url_of_arn(arn)
            self._clients.get("sqs").send_message(QueueUrl=url, MessageBody=text)
        else:
            self._clients.get("sns").publish(TopicArn=arn, Message=text)


def validate_destination(arn: str, where: str) -> None:
    """Refuse a destination that `deliver` could not reach."""
    if arn.split(":")[2:3] not in (["lambda"], ["sqs"], ["sns"]):
        raise UnsupportedFeature(where, f"the destination {arn}")


def _reject_early_event(arn: str, payload: bytes) -> None:
    raise UnsupportedFeature(arn, f"an event of {len(payload)} bytes before the functions are there")


# MERGED: Events that nobody waits for: tried again after a failure, then sent to the function's destination.

_MAX_CONCURRENCY = 32
_THROTTLE_RETRY_S = 0.5


@dataclass(frozen=True, slots=True)
class AsyncPolicy:
    """A function's EventInvokeConfig."""

    retries: int = 2
    on_success: str | None = None
    on_failure: str | None = None


@dataclass(frozen=True, slots=True)
class _AsyncEvent:
    function: str
    payload: bytes
    request_id: str
    attempts: int = 0


class AsyncInvoker:
    """Lambda's own queue for events; AWS waits one minute before the first and two before the second retry.

    `retry_s` is how long it waits here.
    """

    def __init__(
        self,
        functions: LambdaService,
        *,
        policies: Mapping[str, AsyncPolicy],
        destinations: Destinations,
        timer: Timer,
        supervisor: ThreadSupervisor,
        logs: FunctionLogs,
        retry_s: Sequence[float],
    ) -> None:
        self._functions = functions
        self._policies = policies
        self._destinations = destinations
        self._timer = timer
        self._supervisor = supervisor
        self._logs = logs
        self._retry_s = retry_s
        self._pending_count = 0
        self._lock = threading.Lock()
        self._executor = ThreadPoolExecutor(_MAX_CONCURRENCY, thread_name_prefix="async")

    @property
    def pending_count(self) -> int:
        """Events accepted and not yet at their end, those waiting for a retry among them."""
        return self._pending_count

    def enqueue(self, function: str, payload: bytes) -> str:
        """Accept an event; returns its request id."""
        job = _AsyncEvent(self._functions.find(function).name, payload, str(uuid.uuid4()))
        with self._lock:
            self._pending_count += 1
        self._submit(job)
        return job.request_id

    def stop(self) -> None:
        """Accept no more, forget what waits."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _submit(self, job: _AsyncEvent) -> None:
        if not self._supervisor.stopping.is_set():
            self._executor.submit(
                self._supervisor.run_guarded, f"async-{job.function}", lambda: self._try_event(job)
            )

    def _try_event(self, job: _AsyncEvent) -> None:
        try:
            answer = self._functions.invoke(job.function, job.payload, job.request_id)
        except Throttled:
            self._timer.call_later(_THROTTLE_RETRY_S, lambda: self._submit(job))
            return
        policy = self._policies.get(job.function, AsyncPolicy())
        if answer.error is not None and job.attempts < policy.retries:
            wait = self._retry_s[min(job.attempts, len(self._retry_s) - 1)]
            self._timer.call_later(wait, lambda: self._submit(replace(job, attempts=job.attempts + 1)))
            return
        self._finish(job, answer, policy)

    def _finish(self, job: _AsyncEvent, answer: InvocationResult, policy: AsyncPolicy) -> None:
        if answer.error is None:
            self._send_to_destination(policy.on_success, job, answer, "Success")
        else:
            self._handle_exhausted(job, answer, policy)
        with self._lock:
            self._pending_count -= 1

    def _handle_exhausted(self, job: _AsyncEvent, answer: InvocationResult, policy: AsyncPolicy) -> None:
        dead_letters = self._functions.find(job.function).dead_letter_arn
        self._send_to_destination(policy.on_failure, job, answer, "RetriesExhausted")
        if dead_letters is not None:
            self._destinations.send_text(dead_letters, job.payload.decode())
        elif policy.on_failure is None:
            self._logs.write(job.function, [f"DROPPED RequestId: {job.request_id} after all retries"])

    def _send_to_destination(
        self, target: str | None, job: _AsyncEvent, answer: InvocationResult, condition: str
    ) -> None:
        if target is not None:
            self._destinations.send_json(
                target, _destination_record(job, answer, condition, self._version_arn(job))
            )

    def _version_arn(self, job: _AsyncEvent) -> str:
        return f"{self._functions.find(job.function).arn}:$LATEST"


def _destination_record(
    job: _AsyncEvent, answer: InvocationResult, condition: str, arn: str
) -> dict[str, Any]:
    context: dict[str, Any] = {"statusCode": 200, "executedVersion": "$LATEST"}
    if answer.error is not None:
        context["functionError"] = answer.error
    return {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": job.request_id,
            "functionArn": arn,
            "condition": condition,
            "approximateInvokeCount": job.attempts + 1,
        },
        "requestPayload": json.loads(job.payload or b"null"),
        "responseContext": context,
        "responsePayload": answer.payload_json,
    }
