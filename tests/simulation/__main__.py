"""Simulate every scenario: print one line each and draw a plot."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from tests.simulation.simulation import SimulatedHour, fixed_shares, simulate_hour
from tests.simulation.traffic import SCENARIOS

RECOVERY_S = 240
"""Seconds that the controller has after a disturbance: two runs and the start of workers."""


def main(arguments: list[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("build/balance.png"))
    options = parser.parse_args(arguments)
    balanced_hours = [simulate_hour(scenario, seed=options.seed) for scenario in SCENARIOS]
    fixed_hours = [simulate_hour(scenario, fixed_shares, seed=options.seed) for scenario in SCENARIOS]
    console = Console(highlight=False, soft_wrap=True)
    for hour, fixed_hour in zip(balanced_hours, fixed_hours, strict=True):
        console.print(_summary_line(hour, fixed_hour))
    from tests.simulation.plot import draw_simulation

    draw_simulation(balanced_hours, fixed_hours, options.out)
    console.print(f"plot: {options.out}")
    return 0


def _summary_line(hour: SimulatedHour, fixed_hour: SimulatedHour) -> str:
    after_s = hour.scenario.onset_s + RECOVERY_S
    live = f"live age p99 {hour.age_p99_s(0):4.0f} s, settled {hour.age_p99_s(after_s):3.0f} s"
    done_min, fixed_min = hour.backfill_done_at_s() / 60, fixed_hour.backfill_done_at_s() / 60
    bulk = f"backfill done after {done_min:4.1f} min (fixed {fixed_min:4.1f})"
    name = f"{hour.scenario.name:22}"
    changes = f"reallocations {hour.share_changes():2}, direction changes {hour.direction_changes()}"
    return f"{name} {live} (fixed allocation {fixed_hour.age_p99_s(0):4.0f} s), {bulk}, {changes}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
