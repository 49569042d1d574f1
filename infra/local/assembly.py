"""Puts the parts of a cloud together, in the order in which each can start."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

from infra.local import compute, template
from infra.local.alarm_clock import AlarmClock
from infra.local.asynchronous import Asynchronous
from infra.local.buses import Buses
from infra.local.clients import Clients, addresses
from infra.local.destinations import Destinations
from infra.local.faults import Trouble
from infra.local.fleet import Fleet
from infra.local.frontdoor import FrontDoor
from infra.local.functions import Functions
from infra.local.gateway import Gateway
from infra.local.health import Health
from infra.local.identities import Identities, Place
from infra.local.issuer import KEYS_PATH, Issuer, forget
from infra.local.lambda_api import LambdaApi
from infra.local.logs import Logs
from infra.local.mishaps import Mishaps
from infra.local.monitoring.metrics import Metrics
from infra.local.monitoring.monitor import Monitor
from infra.local.moto_server import MotoServer
from infra.local.nursery import Nursery
from infra.local.options import Options
from infra.local.parts import Parts
from infra.local.pollers import Pollers, start_pollers
from infra.local.sandbox import FunctionSpec
from infra.local.schedules import Schedules
from infra.local.stack import Stack
from infra.local.training.api import SageMakerApi
from infra.local.training.container import container
from infra.local.training.jobs import Jobs
from infra.local.worker import Surroundings


class Assembly:
    """Builds the parts; whatever was started before a failure is stopped by `exits`."""

    def __init__(self, options: Options, health: Health, exits: ExitStack, *, lock: int) -> None:
        self._options = options
        self._health = health
        self._exits = exits
        self._metrics = Metrics(options.minute_s)
        self.nursery = Nursery()
        exits.callback(self.nursery.close)
        self._say("starting AWS")
        self.moto = MotoServer(options.data / "moto.log", state=options.state, lock=lock)
        exits.callback(self.moto.stop)
        self.moto.start(self.nursery)

    def build(self) -> Parts:
        """Everything, running."""
        trouble = Trouble()
        gateway, door = self._doors(trouble)
        issuer = self._issuer(gateway)
        stack, clients = self._stack(issuer)
        variables = addresses(self._options.region, self.moto.url, door.url)
        clients.move({"lambda": door.url, "events": door.url, "sagemaker": door.url})
        self._create(stack)
        here = compute.addresses(stack, gateway.url)
        specs = self._unpacked(stack, here)
        logs = Logs(self._options.data / "logs", self._metrics.take)
        clock = self._clock()
        mishaps = Mishaps(trouble, clock)
        fleet = self._fleet(variables, logs, mishaps)
        functions = Functions(
            specs, fleet=fleet, logs=logs, mishaps=mishaps, account_limit=self._options.account_limit
        )
        later, buses, pollers = self._carriers(stack, clients, functions, logs, clock)
        trainings = self._trainings(clients, buses)
        door.open(LambdaApi(functions, later, pollers.mappings, logs), buses, SageMakerApi(trainings))
        gateway.open(compute.apis(stack), functions)
        return Parts(
            health=self._health,
            moto=self.moto,
            clients=clients,
            logs=logs,
            fleet=fleet,
            functions=functions,
            later=later,
            buses=buses,
            pollers=pollers,
            trouble=trouble,
            environment=variables,
            outputs={name: here(value) for name, value in stack.outputs().items()},
            issuer=issuer,
            trainings=trainings,
        )

    def _doors(self, trouble: Trouble) -> tuple[Gateway, FrontDoor]:
        """Addresses that are known before there is anything behind them."""
        gateway = Gateway(self._health, limit_s=self._options.gateway_limit_s)
        door = FrontDoor(self._health, trouble)
        for listener in (gateway, door):
            self._exits.callback(listener.stop)
        return gateway, door

    def _create(self, stack: Stack) -> None:
        """All but the compute."""
        self._say("creating buckets, queues, tables and topics")
        stack.deploy()
        self.moto.make_missing()

    def _unpacked(self, stack: Stack, here: Callable[[Any], Any]) -> list[FunctionSpec]:
        """Functions and layers as folders."""
        self._say("unpacking functions and layers")
        return [_with_addresses(spec, here) for spec in compute.functions(stack, self._options.data)]

    def _carriers(
        self, stack: Stack, clients: Clients, functions: Functions, logs: Logs, clock: AlarmClock
    ) -> tuple[Asynchronous, Buses, Pollers]:
        """All that brings events to functions by itself, at work."""
        destinations = Destinations(clients, stack.identities.place)
        later = self._later(stack, functions, destinations, clock, logs)
        destinations.start = later.start
        buses = Buses(compute.rules(stack), destinations=destinations, place=stack.identities.place)
        pollers = start_pollers(
            stack,
            functions=functions,
            clients=clients,
            destinations=destinations,
            later=later,
            health=self._health,
        )
        options = self._options
        Schedules(buses, clock=clock, minute_s=options.minute_s, paces=options.paces).start()
        monitor = Monitor(
            stack, self._metrics, functions=functions, clients=clients, buses=buses, moto=self.moto
        )
        monitor.run(clock, self._options.minute_s, self._health)
        monitor.tell(clock, self._health)
        return later, buses, pollers

    def _trainings(self, clients: Clients, buses: Buses) -> Jobs:
        """Where the cloud's state is kept, jobs go on after it ended; else they are as gone as their data."""
        folder = self._options.data / "training"
        if not self._options.state:
            shutil.rmtree(folder, ignore_errors=True)
        jobs = Jobs(
            folder,
            s3=clients.get("s3"),
            tell=lambda source, kind, detail: buses.emit(buses.event(source, kind, detail, resources=())),
            container=partial(container, self.nursery),
            health=self._health,
        )
        self._exits.callback(jobs.close)
        jobs.resume()
        return jobs

    def _issuer(self, gateway: Gateway) -> Issuer:
        """Signs tokens for this cloud, with a key of its own; its public half lies beside the APIs."""
        issuer = Issuer(gateway.url, audience="vigil-local")
        gateway.documents = {KEYS_PATH: issuer.keys()}
        issuer.save(self._options.data)
        self._exits.callback(forget, self._options.data)
        return issuer

    def _stack(self, issuer: Issuer) -> tuple[Stack, Clients]:
        """The template, checked: nothing is created for one that cannot be imitated whole."""
        options = self._options
        known = template.parameter_names(options.package)
        issued = {name: value for name, value in issuer.parameters().items() if name in known}
        loaded = template.load(
            options.package, parameters={**issued, **options.parameters}, region=options.region
        )
        clients = Clients(options.region, self.moto.url)
        place = Place(self.moto.url, region=options.region)
        stack = Stack(loaded, Identities(loaded, place), clients)
        stack.check()
        return stack, clients

    def _fleet(self, variables: Mapping[str, str], logs: Logs, mishaps: Mishaps) -> Fleet:
        options = self._options
        shutil.rmtree(options.data / "tmp", ignore_errors=True)
        around = Surroundings(
            nursery=self.nursery,
            health=self._health,
            logs=logs,
            runtime=options.runtime,
            data=options.data,
            variables=variables,
            skew_s=mishaps.skew_s,
            equipped=mishaps.equipped,
        )
        fleet = Fleet(around, processes=options.processes, idle_s=options.idle_s)
        self._exits.callback(fleet.close)
        self._health.start("fleet", fleet.watch)
        return fleet

    def _clock(self) -> AlarmClock:
        clock = AlarmClock(self._health)
        self._exits.callback(clock.stop)
        self._health.start("clock", clock.run)
        return clock

    def _later(
        self,
        stack: Stack,
        functions: Functions,
        destinations: Destinations,
        clock: AlarmClock,
        logs: Logs,
    ) -> Asynchronous:
        later = Asynchronous(
            functions,
            policies=compute.policies(stack),
            destinations=destinations,
            clock=clock,
            health=self._health,
            logs=logs,
            retry_s=self._options.retry_s,
        )
        self._exits.callback(later.stop)
        return later

    def _say(self, what: str) -> None:
        if self._options.on_progress:
            self._options.on_progress(what)


def _with_addresses(spec: FunctionSpec, here: Callable[[Any], Any]) -> FunctionSpec:
    return dataclasses.replace(
        spec, environment={name: here(value) for name, value in spec.environment.items()}
    )
