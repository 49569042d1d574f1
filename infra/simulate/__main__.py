"""`python -m infra.simulate [--seed N] [--out build/balance.png]`: one line a scenario, and a plot."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from infra.simulate.hour import Hour, fixed, run
from infra.simulate.traffic import SCENARIOS

SETTLING_S = 240
"""Seconds that the controller has after a disturbance: two looks, and workers that start."""


def main(arguments: list[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m infra.simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("build/balance.png"))
    chosen = parser.parse_args(arguments)
    balanced = [run(scenario, seed=chosen.seed) for scenario in SCENARIOS]
    unbalanced = [run(scenario, fixed, seed=chosen.seed) for scenario in SCENARIOS]
    console = Console(highlight=False, soft_wrap=True)
    for hour, without in zip(balanced, unbalanced, strict=True):
        console.print(_line(hour, without))
    from infra.simulate.plot import draw  # noqa: PLC0415 - matplotlib only where something is drawn

    draw(balanced, unbalanced, chosen.out)
    console.print(f"plot: {chosen.out}")
    return 0


def _line(hour: Hour, without: Hour) -> str:
    after_s = hour.scenario.onset_s + SETTLING_S
    live = f"live age p99 {hour.age_p99_s(0):4.0f} s, settled {hour.age_p99_s(after_s):3.0f} s"
    done_min, fixed_min = hour.bulk_done_at_s() / 60, without.bulk_done_at_s() / 60
    bulk = f"back-fill through after {done_min:4.1f} min (fixed {fixed_min:4.1f})"
    name = f"{hour.scenario.name:22}"
    moved = f"moves {hour.moves():2}, turns {hour.turns()}"
    return f"{name} {live} (fixed shares {without.age_p99_s(0):4.0f} s), {bulk}, {moved}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
