"""Prices of AWS, and what a use of its services costs."""

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PRICES_FILE = Path(__file__).with_name("prices.toml")
MINUTES_PER_MONTH = 43_800.0

Use = Mapping[str, float]
"""Amounts by the names in the table `use` of prices.toml."""


@dataclass(frozen=True, slots=True)
class Prices:
    """usd_per_million and group by use; usd of one thing per month."""

    usd_per_million: Mapping[str, float]
    group: Mapping[str, str]
    month_usd: Mapping[str, float]

    def usd_by_use(self, use: Use, *, times: float = 1.0) -> dict[str, float]:
        return {name: amount * times * self.usd_per_million[name] / 1e6 for name, amount in use.items()}

    def usd_by_group(self, use: Use, *, times: float = 1.0) -> dict[str, float]:
        """USD for requests, compute and logs, and their total."""
        groups: Counter[str] = Counter(dict.fromkeys(self.group.values(), 0))
        for name, usd in self.usd_by_use(use, times=times).items():
            groups[self.group[name]] += usd  # type: ignore[assignment]
        return {**groups, "total": float(groups.total())}


@cache
def load_prices() -> Prices:
    document = tomllib.loads(PRICES_FILE.read_text())
    return Prices(
        {name: one["usd_per_million"] for name, one in document["use"].items()},
        {name: one["group"] for name, one in document["use"].items()},
        {name: one["usd"] for name, one in document["month"].items()},
    )
