"""Invoke a function by name: admit it under its concurrency limit, find it a worker, tell what came of it."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from infra.local.answers import Answer, answer, report
from infra.local.counters import Counters
from infra.local.errors import NoSuchFunction, Throttled, WorkerGone
from infra.local.fleet import Fleet
from infra.local.logs import Logs
from infra.local.mishaps import Mishaps
from infra.local.runtime_api import Event, Response
from infra.local.sandbox import FunctionSpec
from infra.local.worker import Ending, Undelivered, Worker

_FRESH_TRIES = 3
"""A warm worker may have died unseen; so often is its event given to another."""


class Functions:
    """All functions of the template, under their reserved concurrency and the account's."""

    def __init__(
        self,
        specs: Iterable[FunctionSpec],
        *,
        fleet: Fleet,
        logs: Logs,
        mishaps: Mishaps,
        account_limit: int,
    ) -> None:
        self.counters = Counters()
        self._specs = {spec.name: spec for spec in specs}
        self._logical = {spec.logical: spec for spec in self}
        self._fleet = fleet
        self._logs = logs
        self._mishaps = mishaps
        self._account_limit = account_limit
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[FunctionSpec]:
        return iter(self._specs.values())

    def find(self, name: str) -> FunctionSpec:
        """By name, ARN (with or without a qualifier), or logical id in the template."""
        plain = name.rsplit(":function:", maxsplit=1)[-1].split(":", maxsplit=1)[0]
        spec = self._specs.get(plain) or self._logical.get(plain)
        if spec is None:
            raise NoSuchFunction(f"Function not found: {name}")
        return spec

    @property
    def running(self) -> int:
        """How many invocations are under way."""
        return self._running.total()

    def invoke(
        self, name: str, payload: bytes, request_id: str | None = None, *, waited_for: bool = False
    ) -> Answer:
        """Run one event to its end; raises Throttled when the limit is reached."""
        spec = self.find(name)
        with self._admitted(spec):
            return self._run(spec, payload, request_id or str(uuid.uuid4()), waited_for=waited_for)

    @contextmanager
    def _admitted(self, spec: FunctionSpec) -> Iterator[None]:
        with self._lock:
            full = self._running.total() >= self._account_limit
            if full or (spec.reserved is not None and self._running[spec.name] >= spec.reserved):
                self.counters.throttled(spec.name)
                raise Throttled("Rate Exceeded.")
            self._running[spec.name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[spec.name] -= 1

    def _run(self, spec: FunctionSpec, payload: bytes, request_id: str, *, waited_for: bool) -> Answer:
        for _ in range(_FRESH_TRIES):
            worker = self._fleet.take(spec, waited_for=waited_for)
            event = Event(request_id, spec.arn, spec.timeout_s, payload)
            self._mishaps.befall(worker, request_id)
            ending = worker.run(event)
            if not isinstance(ending, Undelivered):
                return self._finished(event, worker, ending)
            self._fleet.discard(worker)
        raise WorkerGone(f"{spec.name}: workers end before they take an event")

    def _finished(self, event: Event, worker: Worker, ending: Ending) -> Answer:
        duration_s = time.monotonic() - worker.began
        result = answer(event, worker, ending, duration_s)
        if not isinstance(ending, Response):
            self._logs.write(worker.spec.name, [result.payload.decode(errors="replace")], event.request_id)
        self._logs.write(worker.spec.name, report(event, worker, ending, duration_s), event.request_id)
        self.counters.invoked(
            worker.spec.name,
            failed=result.error is not None,
            cold=worker.invocations == 1,
            duration_s=duration_s,
        )
        if isinstance(ending, Response):
            self._fleet.give_back(worker)
        else:
            self._fleet.discard(worker)
        return result
