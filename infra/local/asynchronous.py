"""Events that nobody waits for: tried again after a failure, then sent to the function's destination."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from infra.local.alarm_clock import AlarmClock
from infra.local.answers import Answer
from infra.local.destinations import Destinations
from infra.local.errors import Throttled
from infra.local.functions import Functions
from infra.local.health import Health
from infra.local.logs import Logs

_AT_ONCE = 32
_THROTTLED_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class AsyncPolicy:
    """A function's EventInvokeConfig."""

    retries: int = 2
    on_success: str | None = None
    on_failure: str | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    function: str
    payload: bytes
    request_id: str
    attempts: int = 0


class Asynchronous:
    """Lambda's own queue for events; AWS waits one minute before the first and two before the second retry.

    `retry_s` is how long it waits here.
    """

    def __init__(
        self,
        functions: Functions,
        *,
        policies: Mapping[str, AsyncPolicy],
        destinations: Destinations,
        clock: AlarmClock,
        health: Health,
        logs: Logs,
        retry_s: Sequence[float],
    ) -> None:
        self._functions = functions
        self._policies = policies
        self._destinations = destinations
        self._clock = clock
        self._health = health
        self._logs = logs
        self._retry_s = retry_s
        self._pending = 0
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="async")

    @property
    def pending(self) -> int:
        """Events accepted and not yet at their end, those waiting for a retry among them."""
        return self._pending

    def start(self, function: str, payload: bytes) -> str:
        """Accept an event; returns its request id."""
        job = _Job(self._functions.find(function).name, payload, str(uuid.uuid4()))
        with self._lock:
            self._pending += 1
        self._submit(job)
        return job.request_id

    def stop(self) -> None:
        """Accept no more, forget what waits."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _submit(self, job: _Job) -> None:
        if not self._health.stopping.is_set():
            self._threads.submit(self._health.watch, f"async-{job.function}", lambda: self._attempt(job))

    def _attempt(self, job: _Job) -> None:
        try:
            answer = self._functions.invoke(job.function, job.payload, job.request_id)
        except Throttled:
            self._clock.after(_THROTTLED_AGAIN_S, lambda: self._submit(job))
            return
        policy = self._policies.get(job.function, AsyncPolicy())
        if answer.error is not None and job.attempts < policy.retries:
            wait = self._retry_s[min(job.attempts, len(self._retry_s) - 1)]
            self._clock.after(wait, lambda: self._submit(replace(job, attempts=job.attempts + 1)))
            return
        self._end(job, answer, policy)

    def _end(self, job: _Job, answer: Answer, policy: AsyncPolicy) -> None:
        if answer.error is None:
            self._tell(policy.on_success, job, answer, "Success")
        else:
            self._give_up(job, answer, policy)
        with self._lock:
            self._pending -= 1

    def _give_up(self, job: _Job, answer: Answer, policy: AsyncPolicy) -> None:
        dead_letters = self._functions.find(job.function).dead_letters
        self._tell(policy.on_failure, job, answer, "RetriesExhausted")
        if dead_letters is not None:
            self._destinations.deliver(dead_letters, job.payload.decode())
        elif policy.on_failure is None:
            self._logs.write(job.function, [f"DROPPED RequestId: {job.request_id} after all retries"])

    def _tell(self, target: str | None, job: _Job, answer: Answer, condition: str) -> None:
        if target is not None:
            self._destinations.send(target, _outcome(job, answer, condition, self._arn(job)))

    def _arn(self, job: _Job) -> str:
        return f"{self._functions.find(job.function).arn}:$LATEST"


def _outcome(job: _Job, answer: Answer, condition: str, arn: str) -> dict[str, Any]:
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
        "responsePayload": answer.json,
    }
