"""What a training job is expected to cost, and what it has cost. Prices are data; none is built in."""

from dataclasses import dataclass
from pathlib import Path

from vigil.learn.training import Limits, Machine
from vigil.predict.table import Table, read

HOUR_S = 3600
DEFAULT = Path(__file__).with_name("machines.toml")


@dataclass(frozen=True, slots=True)
class Estimate:
    """Dollars before a job: as earlier jobs lead to expect, and at most, on demand until its limit."""

    expected_usd: float
    most_usd: float


@dataclass(frozen=True, slots=True)
class Bill:
    """Dollars after a job.

    saved_usd  what on demand would have cost more
    """

    usd: float
    saved_usd: float


def estimate(machine: Machine, *, spot: bool, expected_s: float, limits: Limits) -> Estimate:
    """`expected_s` at work, from the last job of the model, or a guess for the first."""
    price = machine.spot_price_usd_h if spot else machine.price_usd_h
    hours = min(expected_s, limits.run_s) / HOUR_S
    most = limits.run_s / HOUR_S * machine.price_usd_h * machine.count
    return Estimate(hours * price * machine.count, most)


def bill(machine: Machine, *, training_s: float, billable_s: float) -> Bill:
    """From the service's report: spot is billed as fewer seconds than were worked, at the full price."""
    second = machine.price_usd_h * machine.count / HOUR_S
    return Bill(billable_s * second, max(training_s - billable_s, 0.0) * second)


def machines(table: Table) -> tuple[Machine, ...]:
    """The machines of a table in its order. Raises BadCard."""
    return tuple(_machine(table, name) for name in table.names("machines"))


def default_machines() -> tuple[Machine, ...]:
    return machines(read(DEFAULT))


def _machine(table: Table, name: str) -> Machine:
    return Machine(
        instance=table.text(f"machines.{name}.instance"),
        count=table.whole(f"machines.{name}.count"),
        price_usd_h=table.number(f"machines.{name}.price_usd_h"),
        spot_price_usd_h=table.number(f"machines.{name}.spot_price_usd_h"),
    )
