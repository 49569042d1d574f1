"""The local cloud: a packaged folder goes in, and what it deploys runs until the `with` block ends."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from infra.local import cloud_file, quiet
from infra.local.assembly import Assembly
from infra.local.counters import Count
from infra.local.errors import CloudFault
from infra.local.fault_control import FaultControl
from infra.local.fleet import WorkerView
from infra.local.health import Health
from infra.local.options import Options
from infra.local.parts import Parts
from infra.local.runtime_dir import runtime_dir
from infra.local.signals import terminating
from infra.local.state import store
from infra.local.training.jobs import Jobs

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
        state: Path | None = None,
        parameters: Mapping[str, str] | None = None,
        processes: int | None = None,
        on_progress: Callable[[str], None] | None = None,
        runtime: Path | None = None,
        account_limit: int = 1000,
        idle_s: float = 300.0,
        minute_s: float = 60.0,
        paces: Mapping[str, float] | None = None,
        retry_s: Sequence[float] = (1.0, 2.0),
        gateway_limit_s: float = 29.0,
    ) -> None:
        self._options = Options(
            package=package.resolve(),
            data=data.resolve(),
            runtime=runtime or Path(),
            state=state.resolve() if state else None,
            parameters=parameters or {},
            processes=processes or 2 * (os.cpu_count() or 1),
            account_limit=account_limit,
            idle_s=idle_s,
            minute_s=minute_s,
            paces=paces or {},
            retry_s=retry_s,
            gateway_limit_s=gateway_limit_s,
            on_progress=on_progress,
        )
        self._runtime = runtime
        self._health = Health()
        self._exits = ExitStack()
        self._parts: Parts | None = None

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self._stop)
            self._start()
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stop()
        if kind is None:
            self._health.check()

    @property
    def endpoint(self) -> str:
        """Where everything but Lambda and PutEvents is."""
        return self._running.moto.url

    @property
    def moto_pid(self) -> int | None:
        """The process that holds all state, while there is one."""
        return self._running.moto.pid

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which any AWS client, in any process, finds this cloud."""
        return dict(self._running.environment)

    @property
    def outputs(self) -> dict[str, Any]:
        """The stack's outputs; an API's URL is the one that works here."""
        return dict(self._running.outputs)

    def token(
        self, role: str, *, subject: str = "", sources: Sequence[str] = (), lasts_s: float = 3600
    ) -> str:
        """A bearer token for this cloud's API, signed with the key that it made when it started."""
        return self._running.issuer.token(
            role, subject=subject or f"local-{role}", sources=sources, lasts_s=lasts_s
        )

    @property
    def invocations(self) -> dict[str, Count]:
        """Counters by function name."""
        return self._running.functions.counters.read()

    @property
    def health(self) -> tuple[str, ...]:
        """What crashed in the cloud itself; empty as long as all is well."""
        dead = () if self._running.moto.alive else ("moto: the server's process ended",)
        return self._health.faults + dead

    def client(self, service: str) -> Any:
        """A boto3 client of this cloud, shared by all who ask for it."""
        return self._running.clients.get(service)

    def resource(self, service: str) -> Any:
        """A boto3 resource of this cloud."""
        return self._running.clients.resource(service)

    def emit(self, source: str, detail_type: str, detail: Mapping[str, Any]) -> None:
        """Let an AWS service say something on the default bus, as `aws.sagemaker` does."""
        buses = self._running.buses
        buses.emit(buses.event(source, detail_type, detail, resources=()))

    @property
    def trainings(self) -> Jobs:
        """Training jobs, their logs, and the faults that can be asked for."""
        return self._running.trainings

    def workers(self) -> tuple[WorkerView, ...]:
        """Every worker process there is now."""
        return tuple(self._running.fleet.workers())

    def kill_worker(self, function: str) -> int | None:
        """SIGKILL one that is in the middle of an event; returns its pid, or None if none was busy."""
        return self._running.fleet.kill_busy(self._running.functions.find(function).name)

    @property
    def faults(self) -> FaultControl:
        """What can be made to go wrong, on purpose."""
        return FaultControl(self._running.moto, self._running.trouble)

    def function(self, logical: str) -> str:
        """The physical name of a function."""
        return self._running.functions.find(logical).name

    def opt(self, function: str) -> Path:
        """The folder that plays /opt for a function."""
        return self._running.functions.find(function).opt

    def logs(self, function: str, *, follow: bool = False) -> Iterator[str]:
        """The log lines of a function: those so far, or, followed, also all to come until the cloud stops."""
        name = self._running.functions.find(function).name
        logs = self._running.logs
        return logs.follow(name, self._health.stopping) if follow else logs.read(name)

    def logs_of(self, request_id: str) -> tuple[str, ...]:
        """The log lines of one invocation."""
        return self._running.logs.of(request_id)

    def quiet(self, timeout_s: float) -> None:
        """Wait until nothing is going on any more; raises NotQuiet, saying what still is."""
        quiet.wait(self._running, timeout_s)

    @property
    def _running(self) -> Parts:
        if self._parts is None:
            raise CloudFault("the cloud is not running")
        return self._parts

    def _start(self) -> None:
        options = self._options
        options.data.mkdir(parents=True, exist_ok=True)
        lock = self._exits.enter_context(cloud_file.claimed(options.data))
        if options.state:
            store.check(options.state)
        self._exits.enter_context(terminating())
        runtime = self._runtime or runtime_dir(
            _PROJECT / "build", _PROJECT / "constraints.txt", on_progress=options.on_progress
        )
        options = dataclasses.replace(options, runtime=runtime)
        self._parts = parts = Assembly(options, self._health, self._exits, lock=lock).build()
        names = {spec.logical: spec.name for spec in parts.functions}
        cloud_file.write(
            options.data,
            cloud_file.CloudFile(os.getpid(), self.endpoint, self.environment, self.outputs, names),
        )

    def _stop(self) -> None:
        self._health.stopping.set()
        self._exits.close()
        self._parts = None
