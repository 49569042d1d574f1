"""The local cloud: runs what a packaged folder deploys until the `with` block ends."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from infra.local.builder import Builder, CloudOptions, Components
from infra.local.discovery import CloudFile, lock_data_folder, write_cloud_file
from infra.local.errors import CloudCrashed, NotIdle
from infra.local.faults.model import FaultControl
from infra.local.lambda_.pool import WorkerInfo
from infra.local.lambda_.sandbox import lambda_runtime_folder
from infra.local.lambda_.service import InvocationCounts
from infra.local.persistence import store
from infra.local.process import ThreadSupervisor, exit_on_sigterm
from infra.local.sagemaker.jobs import TrainingJobs
from infra.lock_file import LOCK_PATH

_PROJECT = Path(__file__).parents[2]
_IDLE_POLL_INTERVAL_S = (0.05, 0.5)
_COUNT_ATTRIBUTES = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class Cloud:
    """One cloud on one data folder; with a `state_file` it restores the state of its last run.

    Everything that it starts ends with the `with` block, also after SIGTERM, Ctrl-C or a failed start, and
    with this process if it is killed. Leaving the block raises CloudCrashed if a part of the cloud crashed.
    The settings are the fields of CloudOptions.
    """

    def __init__(self, package: Path, data: Path, **settings: Any) -> None:
        self._options = CloudOptions(package, data, **settings)
        self._supervisor = ThreadSupervisor()
        self._exit_stack = ExitStack()
        self._components: Components | None = None

    def __enter__(self) -> Self:
        with ExitStack() as cleanup:
            cleanup.callback(self._stop)
            self._start()
            cleanup.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stop()
        if kind is None:
            self._supervisor.raise_crashes()

    @property
    def endpoint(self) -> str:
        """The URL of every service but Lambda and SageMaker."""
        return self._running_components.moto.url

    @property
    def moto_pid(self) -> int | None:
        """The pid of the process that holds all state, while there is one."""
        return self._running_components.moto.pid

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which an AWS client of any process finds this cloud."""
        return dict(self._running_components.environment)

    @property
    def outputs(self) -> dict[str, Any]:
        """The stack's outputs; the URL of an API is the one on this machine."""
        return dict(self._running_components.outputs)

    def issue_token(
        self,
        role: str,
        *,
        subject: str = "",
        sources: Sequence[str] | None = None,
        galleries: Sequence[str] | None = None,
        lifetime_s: float = 3600,
    ) -> str:
        """Issue a bearer token for this cloud's API."""
        return self._running_components.issuer.issue_token(
            role,
            subject=subject or f"local-{role}",
            sources=sources,
            galleries=galleries,
            lifetime_s=lifetime_s,
        )

    @property
    def invocations(self) -> dict[str, InvocationCounts]:
        """Counters by function name."""
        return self._running_components.functions.counters.snapshot()

    @property
    def crashes(self) -> tuple[str, ...]:
        """The crashes in the cloud itself; empty while everything works."""
        moto_crash = () if self._running_components.moto.is_alive else ("moto: the server's process ended",)
        return self._supervisor.crashes + moto_crash

    def client(self, service: str) -> Any:
        """The boto3 client of a service; callers share it."""
        return self._running_components.clients.get(service)

    def emit_event(self, source: str, detail_type: str, detail: Mapping[str, Any]) -> None:
        """Publish an event on the default bus, as an AWS service does."""
        event_bus = self._running_components.event_bus
        event_bus.publish(event_bus.build_event(source, detail_type, detail))

    @property
    def training_jobs(self) -> TrainingJobs:
        """The training jobs, their logs and their fault injection."""
        return self._running_components.training_jobs

    def workers(self) -> tuple[WorkerInfo, ...]:
        """All worker processes."""
        return tuple(self._running_components.pool.workers())

    def kill_worker(self, function: str) -> int | None:
        """Kill a busy worker with SIGKILL; returns its pid, or None if no worker was busy."""
        return self._running_components.pool.kill_busy_worker(
            self._running_components.functions.find(function).name
        )

    @property
    def faults(self) -> FaultControl:
        """Fault injection."""
        return FaultControl(self._running_components.moto, self._running_components.fault_injector)

    @contextmanager
    def recorded_calls(self) -> Iterator[list[dict[str, Any]]]:
        """The calls of functions to AWS within the block, in a list that is filled at its end.

        The keys are the fields of infra.local.moto_.call_log.AwsCall, and `function`.
        """
        moto, calls = self._running_components.moto, list[dict[str, Any]]()
        moto.run_command("begin-call-log")
        yield calls
        functions = {worker.pid: worker.function for worker in self.workers()}
        for call in moto.run_command("end-call-log"):
            calls.append({**call, "function": functions.get(call["worker"], "")})

    def function_name(self, logical: str) -> str:
        """The physical name of a function."""
        return self._running_components.functions.find(logical).name

    def logs(self, function: str) -> Iterator[str]:
        """The log lines that a function has written until now."""
        return self._running_components.logs.lines_of_function(self.function_name(function))

    def invocation_logs(self, request_id: str) -> tuple[str, ...]:
        """The log lines of one invocation."""
        return self._running_components.logs.lines_of_request(request_id)

    def wait_until_idle(self, timeout_s: float) -> None:
        """Wait until no invocation runs and no event, message or stream record waits.

        Messages that wait for their next receive count, and those in the queue of a disabled mapping;
        the streams of disabled mappings are not read. Raises NotIdle, naming what is still active.
        """
        deadline = time.monotonic() + timeout_s
        interval_s = _IDLE_POLL_INTERVAL_S[0]
        while True:
            self._supervisor.raise_crashes()
            activity = _find_activity(self._running_components)
            if activity is None:
                return
            if time.monotonic() > deadline:
                raise NotIdle(f"after {timeout_s:g} s: {activity}")
            time.sleep(interval_s)
            interval_s = min(interval_s * 1.3, _IDLE_POLL_INTERVAL_S[1])

    @property
    def _running_components(self) -> Components:
        if self._components is None:
            raise CloudCrashed("the cloud is not running")
        return self._components

    def _start(self) -> None:
        options = self._options.resolved()
        self._exit_stack.callback(os.umask, os.umask(0o077))  # files, also of child processes, for this user
        options.data.mkdir(parents=True, exist_ok=True)
        options.data.chmod(0o700)  # photos, faces and the key of the tokens belong to this user alone
        lock = self._exit_stack.enter_context(lock_data_folder(options.data))
        if options.state_file:
            store.check_state_file(options.state_file)
        self._exit_stack.enter_context(exit_on_sigterm())
        runtime = options.runtime or lambda_runtime_folder(
            _PROJECT / "build", _PROJECT / LOCK_PATH, on_progress=options.on_progress
        )
        options = dataclasses.replace(options, runtime=runtime)
        self._components = components = Builder(
            options, self._supervisor, self._exit_stack, lock_descriptor=lock
        ).build()
        names = {spec.logical_id: spec.name for spec in components.functions}
        write_cloud_file(
            options.data,
            CloudFile(os.getpid(), self.endpoint, self.environment, self.outputs, names),
        )

    def _stop(self) -> None:
        self._supervisor.stopping.set()
        self._exit_stack.close()
        self._components = None


def _find_activity(components: Components) -> str | None:
    """Return the first activity found; None if there was none and nothing ran during the search."""
    count_before = _invocation_count(components)
    found = next(_activities(components), None) or _unread_stream(components)
    if found is None:
        found = next(_activities(components), None)
    if found is None and _invocation_count(components) != count_before:
        return "an invocation ended a moment ago"
    return found


def _activities(components: Components) -> Iterator[str]:
    if components.functions.running_count:
        yield f"{components.functions.running_count} invocations are running"
    if components.async_invoker.pending_count:
        yield f"{components.async_invoker.pending_count} asynchronous events are pending"
    for poller in components.pollers:
        if poller.busy:
            yield f"a batch of {poller.mapping.source} is being processed"
    for queue in components.pollers.queues:
        count = _message_count(components, queue.url)
        if count:
            yield f"{count} messages in {queue.url.rsplit('/', 1)[-1]}"


def _message_count(components: Components, url: str) -> int:
    response = components.clients.get("sqs").get_queue_attributes(
        QueueUrl=url, AttributeNames=list(_COUNT_ATTRIBUTES)
    )
    return sum(int(response["Attributes"][name]) for name in _COUNT_ATTRIBUTES)


def _unread_stream(components: Components) -> str | None:
    """Let every stream be read once more from beginning to end; return one that was not."""
    for poller in [one for one in components.pollers.streams if one.mapping.enabled]:
        target_count = poller.read_count + 2
        deadline = time.monotonic() + 2
        while poller.read_count < target_count and time.monotonic() < deadline:
            poller.mapping.settings_changed.set()
            time.sleep(0.01)
        if poller.read_count < target_count:
            return f"{poller.mapping.source} is being read"
    return None


def _invocation_count(components: Components) -> int:
    return sum(count.invocations for count in components.functions.counters.snapshot().values())
