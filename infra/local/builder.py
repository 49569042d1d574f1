"""Builds the components of a local cloud in the order in which each of them can start."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from infra.local.apigateway.documents import StaticDocument, console_documents
from infra.local.apigateway.server import ApiGateway
from infra.local.aws_endpoint import AwsEndpoint
from infra.local.clients import AwsClients, client_environment
from infra.local.cloudformation import template
from infra.local.cloudformation.deploy import Stack
from infra.local.cloudformation.functions import (
    event_rules,
    event_source_mappings,
    function_specs,
    local_url_rewriter,
    rest_apis,
)
from infra.local.cloudformation.names import AwsLocation, ResourceNames
from infra.local.cloudwatch.alarms import Monitor
from infra.local.cloudwatch.metrics import MetricStore
from infra.local.discovery import Ports, choose_ports, save_ports
from infra.local.event_sources.async_invoke import AsyncInvoker, Destinations
from infra.local.event_sources.dynamodb_streams import StreamPoller
from infra.local.event_sources.mapping import EventSourceMapping
from infra.local.event_sources.sqs import QueuePoller
from infra.local.eventbridge import EventBus, Scheduler
from infra.local.faults.model import FaultInjector
from infra.local.faults.workers import WorkerFaults
from infra.local.issuer import JWKS_PATH, Issuer, open_issuer
from infra.local.lambda_.api import LambdaApi
from infra.local.lambda_.logs import FunctionLogs
from infra.local.lambda_.pool import WorkerPool
from infra.local.lambda_.sandbox import FunctionSpec
from infra.local.lambda_.service import LambdaService
from infra.local.lambda_.worker import WorkerContext
from infra.local.moto_.server import MotoServer
from infra.local.process import ProcessGroup, ThreadSupervisor, Timer
from infra.local.sagemaker.jobs import SageMakerApi, TrainingJobs, start_container


@dataclass(frozen=True, slots=True)
class CloudOptions:
    """The settings of a local cloud.

    state_file          SQLite file that keeps the state of AWS's services; without one it is lost at the end
    runtime             folder for /var/runtime; by default one is installed in build/
    max_workers         worker processes of all functions together; by default two for each core
    port                port of the API; by default that of the last cloud on the data folder
    idle_s              how long an idle worker is kept
    minute_s            real seconds for each minute of a rate(...) expression and of an alarm
    function_minute_s   the same for the schedules of single functions, by function name
    retry_s             waits before the retries of an asynchronous invocation
    """

    package: Path
    data: Path
    runtime: Path | None = None
    state_file: Path | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    max_workers: int | None = None
    port: int | None = None
    idle_s: float = 300.0
    minute_s: float = 60.0
    function_minute_s: Mapping[str, float] = field(default_factory=dict)
    retry_s: Sequence[float] = (1.0, 2.0)
    region: str = "us-east-1"
    on_progress: Callable[[str], None] | None = None

    def resolved(self) -> CloudOptions:
        """Return the options with absolute paths, which child processes need."""
        state_file = self.state_file and self.state_file.resolve()
        return dataclasses.replace(
            self, package=self.package.resolve(), data=self.data.resolve(), state_file=state_file
        )


@dataclass(frozen=True, slots=True)
class Pollers:
    """One poller for each event source mapping."""

    queues: Sequence[QueuePoller]
    streams: Sequence[StreamPoller]

    def __iter__(self) -> Iterator[QueuePoller | StreamPoller]:
        yield from self.queues
        yield from self.streams

    @property
    def mappings(self) -> Mapping[str, EventSourceMapping]:
        """The event source mappings by their id."""
        return {poller.mapping.id: poller.mapping for poller in self}


@dataclass(frozen=True, slots=True)
class Components:
    """The parts of a running cloud."""

    supervisor: ThreadSupervisor
    moto: MotoServer
    clients: AwsClients
    logs: FunctionLogs
    pool: WorkerPool
    functions: LambdaService
    async_invoker: AsyncInvoker
    event_bus: EventBus
    pollers: Pollers
    fault_injector: FaultInjector
    environment: Mapping[str, str]
    outputs: Mapping[str, Any]
    issuer: Issuer
    training_jobs: TrainingJobs


class Builder:
    """Builds the components; `exit_stack` stops whatever was started before a failure."""

    def __init__(
        self,
        options: CloudOptions,
        supervisor: ThreadSupervisor,
        exit_stack: ExitStack,
        *,
        lock_descriptor: int,
    ) -> None:
        self._options = options
        self._supervisor = supervisor
        self._exit_stack = exit_stack
        self._metrics = MetricStore(options.minute_s)
        self.processes = ProcessGroup()
        exit_stack.callback(self.processes.close)
        self._report_progress("starting AWS")
        self._ports = choose_ports(options.data, options.port)
        self.moto = MotoServer(
            options.data / "moto.log",
            state_file=options.state_file,
            lock_descriptor=lock_descriptor,
            port=self._ports.aws,
        )
        exit_stack.callback(self.moto.stop)
        self.moto.start(self.processes)

    def build(self) -> Components:
        """Build and start all components."""
        fault_injector = FaultInjector()
        gateway, endpoint = self._create_servers(fault_injector)
        issuer = self._create_issuer(gateway)
        stack, clients = self._load_stack(issuer)
        variables = client_environment(self._options.region, self.moto.url, endpoint.url)
        clients.set_endpoints({"lambda": endpoint.url, "sagemaker": endpoint.url})
        self._create_resources(stack)
        rewrite_url = local_url_rewriter(stack, gateway.url)
        specs = self._unpack_functions(stack, rewrite_url)
        logs = FunctionLogs(self._options.data / "logs", self._metrics.record_log_lines)
        timer = self._start_timer()
        worker_faults = WorkerFaults(fault_injector, timer)
        pool = self._start_pool(variables, logs, worker_faults)
        functions = LambdaService(specs, pool=pool, logs=logs, worker_faults=worker_faults)
        async_invoker, event_bus, pollers = self._start_event_delivery(stack, clients, functions, logs, timer)
        training_jobs = self._start_training_jobs(clients, event_bus)
        lambda_api = LambdaApi(functions, async_invoker, pollers.mappings)
        endpoint.start_serving(lambda_api, SageMakerApi(training_jobs))
        gateway.start_serving(rest_apis(stack), functions)
        return Components(
            supervisor=self._supervisor,
            moto=self.moto,
            clients=clients,
            logs=logs,
            pool=pool,
            functions=functions,
            async_invoker=async_invoker,
            event_bus=event_bus,
            pollers=pollers,
            fault_injector=fault_injector,
            environment=variables,
            outputs={name: rewrite_url(value) for name, value in stack.outputs().items()},
            issuer=issuer,
            training_jobs=training_jobs,
        )

    def _create_servers(self, fault_injector: FaultInjector) -> tuple[ApiGateway, AwsEndpoint]:
        """Open the servers whose addresses the template needs; they answer later."""
        gateway = ApiGateway(self._supervisor, port=self._ports.api)
        self._exit_stack.callback(gateway.stop)
        endpoint = AwsEndpoint(self._supervisor, fault_injector, port=self._ports.compute)
        self._exit_stack.callback(endpoint.stop)
        ports = Ports(gateway.server_port, self.moto.port, endpoint.server_port)
        save_ports(self._options.data, ports)
        return gateway, endpoint

    def _create_issuer(self, gateway: ApiGateway) -> Issuer:
        """Create the token issuer; the gateway serves its public keys, and the console."""
        issuer = open_issuer(self._options.data, gateway.url, audience="vigil-local")
        console = console_documents(self._options.package, photos_origin=self.moto.url)
        gateway.static_documents = {**console, JWKS_PATH: StaticDocument(issuer.jwks())}
        return issuer

    def _load_stack(self, issuer: Issuer) -> tuple[Stack, AwsClients]:
        """Read and check the template; an unsupported one is refused before anything is created."""
        options = self._options
        declared = template.template_parameters(options.package)
        local = {**issuer.template_parameters(), "Console": "false"}
        issued = {name: value for name, value in local.items() if name in declared}
        loaded = template.load_template(
            options.package, parameters={**issued, **options.parameters}, region=options.region
        )
        clients = AwsClients(options.region, self.moto.url)
        location = AwsLocation(self.moto.url, region=options.region)
        stack = Stack(loaded, ResourceNames(loaded, location), clients)
        stack.validate()
        return stack, clients

    def _create_resources(self, stack: Stack) -> None:
        self._report_progress("creating buckets, queues, tables and topics")
        stack.create_resources()
        self.moto.recreate_client_queues()

    def _unpack_functions(self, stack: Stack, rewrite_url: Callable[[Any], Any]) -> list[FunctionSpec]:
        self._report_progress("unpacking functions and layers")
        return [_with_local_urls(spec, rewrite_url) for spec in function_specs(stack, self._options.data)]

    def _start_timer(self) -> Timer:
        timer = Timer(self._supervisor)
        self._exit_stack.callback(timer.stop)
        self._supervisor.start_thread("timer", timer.run)
        return timer

    def _start_pool(
        self, variables: Mapping[str, str], logs: FunctionLogs, worker_faults: WorkerFaults
    ) -> WorkerPool:
        options = self._options
        shutil.rmtree(options.data / "tmp", ignore_errors=True)
        context = WorkerContext(
            processes=self.processes,
            supervisor=self._supervisor,
            logs=logs,
            runtime_folder=options.runtime or Path(),
            data_folder=options.data,
            endpoint_variables=variables,
            clock_skew_s=worker_faults.draw_clock_skew_s,
            prepare_function=worker_faults.prepare_function,
        )
        pool = WorkerPool(
            context, max_workers=options.max_workers or 2 * (os.cpu_count() or 1), max_idle_s=options.idle_s
        )
        self._exit_stack.callback(pool.shut_down)
        self._supervisor.start_thread("worker-pool", pool.enforce_limits)
        return pool

    def _start_event_delivery(
        self, stack: Stack, clients: AwsClients, functions: LambdaService, logs: FunctionLogs, timer: Timer
    ) -> tuple[AsyncInvoker, EventBus, Pollers]:
        """Start everything that invokes functions by itself: pollers, schedules and alarms."""
        options, location = self._options, stack.names.location
        destinations = Destinations(clients, location)
        async_invoker = AsyncInvoker(
            functions, timer=timer, supervisor=self._supervisor, logs=logs, retry_s=options.retry_s
        )
        self._exit_stack.callback(async_invoker.stop)
        destinations.invoke_async = async_invoker.enqueue
        event_bus = EventBus(event_rules(stack), destinations=destinations, location=location)
        pollers = self._start_pollers(stack, functions, clients, destinations)
        Scheduler(
            event_bus,
            timer=timer,
            minute_s=options.minute_s,
            function_minute_s=options.function_minute_s,
            is_running=functions.is_running,
        ).start()
        monitor = Monitor(
            stack, self._metrics, functions=functions, clients=clients, event_bus=event_bus, moto=self.moto
        )
        monitor.schedule_evaluations(timer, options.minute_s, self._supervisor)
        monitor.schedule_publishing(timer, self._supervisor)
        return async_invoker, event_bus, pollers

    def _start_pollers(
        self, stack: Stack, functions: LambdaService, clients: AwsClients, destinations: Destinations
    ) -> Pollers:
        queue_mappings, stream_mappings = event_source_mappings(stack, functions)
        shared: dict[str, Any] = {"functions": functions, "clients": clients, "supervisor": self._supervisor}
        queue_url = stack.names.location.queue_url_of_arn
        pollers = Pollers(
            [QueuePoller(one, url=queue_url(one.source), **shared) for one in queue_mappings],
            [StreamPoller(one, destinations=destinations, **shared) for one in stream_mappings],
        )
        for poller in pollers:
            self._supervisor.start_thread(f"poller {poller.mapping.source}", poller.run)
        return pollers

    def _start_training_jobs(self, clients: AwsClients, event_bus: EventBus) -> TrainingJobs:
        """Resume the unfinished jobs of the last run if the cloud keeps its state, else delete them."""
        folder = self._options.data / "training"
        if not self._options.state_file:
            shutil.rmtree(folder, ignore_errors=True)
        jobs = TrainingJobs(
            folder,
            s3=clients.get("s3"),
            emit_event=lambda source, kind, detail: event_bus.publish(
                event_bus.build_event(source, kind, detail)
            ),
            start_container=partial(start_container, self.processes),
            supervisor=self._supervisor,
        )
        self._exit_stack.callback(jobs.kill_all)
        jobs.resume_unfinished()
        return jobs

    def _report_progress(self, activity: str) -> None:
        if self._options.on_progress:
            self._options.on_progress(activity)


def _with_local_urls(spec: FunctionSpec, rewrite_url: Callable[[Any], Any]) -> FunctionSpec:
    return dataclasses.replace(
        spec, environment={name: rewrite_url(value) for name, value in spec.environment.items()}
    )
