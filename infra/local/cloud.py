"""The local cloud: a packaged folder goes in, and what it deploys runs until the `with` block ends."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from infra.local.builder import Builder, CloudOptions, Components
from infra.local.discovery import CloudFile, lock_data_folder, write_cloud_file
from infra.local.errors import CloudCrashed
from infra.local.faults.model import FaultControl
from infra.local.idle import wait_until_idle
from infra.local.lambda_.pool import WorkerInfo
from infra.local.lambda_.sandbox import lambda_runtime_folder
from infra.local.lambda_.service import InvocationCounts
from infra.local.persistence import store
from infra.local.process import exit_on_sigterm
from infra.local.sagemaker.jobs import TrainingJobs
from infra.local.threads import ThreadSupervisor

_PROJECT = Path(__file__).parents[2]


class Cloud:
    """One cloud on one data folder; what it held when it ended it finds again in its `state` file, if any.

    Everything it starts ends with the `with` block, also when that ends by SIGTERM, Ctrl-C or a start that
    fails half way, and with this process if it is killed. Leaving the block raises CloudFault if a part of
    the cloud crashed meanwhile.
    """

    def __init__(
        self,
        package: Path,
        data: Path,
        *,
        state_file: Path | None = None,
        parameters: Mapping[str, str] | None = None,
        max_workers: int | None = None,
        on_progress: Callable[[str], None] | None = None,
        runtime: Path | None = None,
        account_limit: int = 1000,
        idle_s: float = 300.0,
        minute_s: float = 60.0,
        function_minute_s: Mapping[str, float] | None = None,
        retry_s: Sequence[float] = (1.0, 2.0),
        gateway_limit_s: float = 29.0,
    ) -> None:
        self._options = CloudOptions(
            package=package.resolve(),
            data=data.resolve(),
            runtime=runtime or Path(),
            state_file=state_file.resolve() if state_file else None,
            parameters=parameters or {},
            max_workers=max_workers or 2 * (os.cpu_count() or 1),
            account_limit=account_limit,
            idle_s=idle_s,
            minute_s=minute_s,
            function_minute_s=function_minute_s or {},
            retry_s=retry_s,
            gateway_limit_s=gateway_limit_s,
            on_progress=on_progress,
        )
        self._runtime = runtime
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
        """Where everything but Lambda and PutEvents is."""
        return self._running_components.moto.url

    @property
    def moto_pid(self) -> int | None:
        """The process that holds all state, while there is one."""
        return self._running_components.moto.pid

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which any AWS client, in any process, finds this cloud."""
        return dict(self._running_components.environment)

    @property
    def outputs(self) -> dict[str, Any]:
        """The stack's outputs; an API's URL is the one that works here."""
        return dict(self._running_components.outputs)

    def issue_token(
        self, role: str, *, subject: str = "", sources: Sequence[str] = (), lifetime_s: float = 3600
    ) -> str:
        """A bearer token for this cloud's API, signed with the key that it made when it started."""
        return self._running_components.issuer.issue_token(
            role, subject=subject or f"local-{role}", sources=sources, lifetime_s=lifetime_s
        )

    @property
    def invocations(self) -> dict[str, InvocationCounts]:
        """Counters by function name."""
        return self._running_components.functions.counters.snapshot()

    @property
    def crashes(self) -> tuple[str, ...]:
        """What crashed in the cloud itself; empty as long as all is well."""
        moto_crash = () if self._running_components.moto.is_alive else ("moto: the server's process ended",)
        return self._supervisor.crashes + moto_crash

    def client(self, service: str) -> Any:
        """A boto3 client of this cloud, shared by all who ask for it."""
        return self._running_components.clients.get(service)

    def resource(self, service: str) -> Any:
        """A boto3 resource of this cloud."""
        return self._running_components.clients.resource(service)

    def emit_event(self, source: str, detail_type: str, detail: Mapping[str, Any]) -> None:
        """Let an AWS service say something on the default bus, as `aws.sagemaker` does."""
        event_bus = self._running_components.event_bus
        event_bus.publish(event_bus.build_event(source, detail_type, detail, resources=()))

    @property
    def training_jobs(self) -> TrainingJobs:
        """Training jobs, their logs, and the faults that can be asked for."""
        return self._running_components.training_jobs

    def workers(self) -> tuple[WorkerInfo, ...]:
        """Every worker process there is now."""
        return tuple(self._running_components.pool.workers())

    def kill_worker(self, function: str) -> int | None:
        """SIGKILL one that is in the middle of an event; returns its pid, or None if none was busy."""
        return self._running_components.pool.kill_busy_worker(
            self._running_components.functions.find(function).name
        )

    @property
    def faults(self) -> FaultControl:
        """What can be made to go wrong, on purpose."""
        return FaultControl(self._running_components.moto, self._running_components.fault_injector)

    def function_name(self, logical: str) -> str:
        """The physical name of a function."""
        return self._running_components.functions.find(logical).name

    def opt_folder(self, function: str) -> Path:
        """The folder that plays /opt for a function."""
        return self._running_components.functions.find(function).opt_folder

    def logs(self, function: str, *, follow: bool = False) -> Iterator[str]:
        """The log lines of a function: those so far, or, followed, also all to come until the cloud stops."""
        name = self._running_components.functions.find(function).name
        logs = self._running_components.logs
        return logs.follow(name, self._supervisor.stopping) if follow else logs.lines_of_function(name)

    def invocation_logs(self, request_id: str) -> tuple[str, ...]:
        """The log lines of one invocation."""
        return self._running_components.logs.lines_of_request(request_id)

    def wait_until_idle(self, timeout_s: float) -> None:
        """Wait until nothing is going on any more; raises NotQuiet, saying what still is."""
        wait_until_idle(self._running_components, timeout_s)

    @property
    def _running_components(self) -> Components:
        if self._components is None:
            raise CloudCrashed("the cloud is not running")
        return self._components

    def _start(self) -> None:
        options = self._options
        options.data.mkdir(parents=True, exist_ok=True)
        lock = self._exit_stack.enter_context(lock_data_folder(options.data))
        if options.state_file:
            store.check_state_file(options.state_file)
        self._exit_stack.enter_context(exit_on_sigterm())
        runtime = self._runtime or lambda_runtime_folder(
            _PROJECT / "build", _PROJECT / "constraints.txt", on_progress=options.on_progress
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
