"""What breaks first at 1, 100, 1,000 and 10,000 photos a second: `make capacity`.

The limits are in limits.toml, what a photo uses of them is measured on the local cloud (tests.cost.measure).
"""

import json
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud.dynamodb.schema import LIST_SHARDS
from tests.cost.measure import measure_cost
from vigil_cli.console import new_table, out
from vigil_cli.paths import BUILD, PACKAGE

LIMITS_FILE = Path(__file__).with_name("limits.toml")
RATES = (1, 100, 1_000, 10_000)
LISTS = ("records/listing", "records/completed")
"""Indexes whose rows are spread over LIST_SHARDS keys."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit; `per_photo` is what a photo uses of it."""

    name: str
    limit: float
    per_photo: float
    source: str
    remedy: str

    def share_at(self, photos_per_s: float) -> float:
        """How much of the limit this many photos a second use; it breaks above 1."""
        return self.per_photo * photos_per_s / self.limit

    @property
    def photos_per_s(self) -> float:
        """So many photos a second are possible."""
        return self.limit / self.per_photo if self.per_photo else float("inf")


def loads_per_photo(photo: Mapping[str, Any]) -> dict[str, float]:
    """What a photo uses of each load that limits.toml names, from `details.photo` of the measured figures."""
    units, seconds = photo["write_units"], photo["seconds"]
    return {
        "live seconds": seconds["Live"],
        "publish seconds": seconds["Publish"],
        "seconds": sum(seconds.values()),
        "records write units": units["records"],
        "list key write units": max(units.get(name, 0.0) for name in LISTS) / LIST_SHARDS,
        "s3 writes": photo["use"]["s3 writes"],
        "messages": photo["use"]["sns publishes"],
    }


def read_limits(loads: Mapping[str, float], parameters: Mapping[str, Any]) -> list[Limit]:
    """The limits of limits.toml; a text as limit is a parameter of the template."""
    document = tomllib.loads(LIMITS_FILE.read_text())
    return [
        Limit(
            one["name"],
            float(parameters[one["limit"]]["Default"] if isinstance(one["limit"], str) else one["limit"]),
            loads[one["load"]],
            one["source"],
            one["raise"],
        )
        for one in document["limits"]
    ]


def breaking_at(limits: Iterable[Limit], photos_per_s: float) -> list[Limit]:
    """The limits that this many photos a second exceed, first what breaks first."""
    exceeded = [one for one in limits if one.share_at(photos_per_s) > 1]
    return sorted(exceeded, key=lambda one: one.photos_per_s)


def report(limits: Sequence[Limit]) -> None:
    table = new_table(
        "Capacity", "limit", ">value", ">per photo", ">photos/s", *(f">at {rate:,}/s" for rate in RATES)
    )
    for one in sorted(limits, key=lambda one: one.photos_per_s):
        shares = (f"{one.share_at(rate):.1%}" for rate in RATES)
        table.add_row(
            one.name, f"{one.limit:,.0f}", f"{one.per_photo:.3g}", f"{one.photos_per_s:,.0f}", *shares
        )
    out.print(table)
    for rate in RATES:
        broken = breaking_at(limits, rate)
        out.print(f"{rate:,} photos a second: " + ("nothing breaks" if not broken else ""))
        for one in broken:
            out.print(f"  {one.name} ends at {one.photos_per_s:,.0f}: {one.remedy}")
            out.print(f"    {one.source}")


def main() -> int:
    """Figures of the last `make bench` if there are some; else they are measured first."""
    bench = BUILD / "bench.json"
    known = json.loads(bench.read_text())["details"].get("photo") if bench.exists() else None
    photo = known or measure_cost()["details"]["photo"]
    parameters = json.loads((PACKAGE / "sam.json").read_text())["Parameters"]
    report(read_limits(loads_per_photo(photo), parameters))
    return 0


if __name__ == "__main__":
    sys.exit(main())
