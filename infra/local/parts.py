"""A running cloud, taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.local.asynchronous import Asynchronous
from infra.local.buses import Buses
from infra.local.clients import Clients
from infra.local.faults import Trouble
from infra.local.fleet import Fleet
from infra.local.functions import Functions
from infra.local.health import Health
from infra.local.issuer import Issuer
from infra.local.logs import Logs
from infra.local.moto_server import MotoServer
from infra.local.pollers import Pollers
from infra.local.training.jobs import Jobs


@dataclass(frozen=True, slots=True)
class Parts:
    """All that `with Cloud(...)` holds."""

    health: Health
    moto: MotoServer
    clients: Clients
    logs: Logs
    fleet: Fleet
    functions: Functions
    later: Asynchronous
    buses: Buses
    pollers: Pollers
    trouble: Trouble
    environment: Mapping[str, str]
    outputs: Mapping[str, Any]
    issuer: Issuer
    trainings: Jobs
