"""Run the chaos scenario: print one line, draw a plot, and exit with code 1 if a check fails."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from infra.package import package
from models.build.sample_photos import fetch_photos
from tests.chaos.scenario import ScenarioResult, run_scenario


def main(arguments: list[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--drops", type=int, default=500)
    parser.add_argument("--receives", type=int, default=3, help="receives before a dead letter")
    parser.add_argument("--minute", type=float, default=3.0, help="length of a scheduling minute in seconds")
    parser.add_argument("--patience", type=float, default=400.0, help="seconds that recovery may take")
    parser.add_argument("--out", type=Path, default=Path("build/chaos.png"))
    options = parser.parse_args(arguments)
    package("local")
    fetch_photos()
    with tempfile.TemporaryDirectory(prefix="vigil-chaos-") as data:
        result = run_scenario(
            options.seed,
            options.drops,
            receives=options.receives,
            minute_s=options.minute,
            data=Path(data),
            timeout_s=options.patience,
        )
    from tests.chaos.plot import draw_chaos

    draw_chaos(result, options.seed, options.out)
    differences = result.under_faults.differences_from(result.baseline)
    console = Console(highlight=False, soft_wrap=True)
    for line in (*differences, *result.stall):
        console.print(f"  {line}", markup=False)
    console.print(f"{summary_line(result, differences)}\nplot: {options.out}")
    return 1 if differences else 0


def summary_line(result: ScenarioResult, differences: list[str]) -> str:
    """Return all figures of a run in one line."""
    checked, states = result.under_faults, result.under_faults.states
    alert_comparison = (
        "as without faults"
        if checked.alerts == result.baseline.alerts
        else f"expected {result.baseline.alerts}"
    )
    return (
        f"chaos: {'failed' if differences else 'ok'} drops {result.drops} done {states.get('done', 0)} "
        f"rejected {states.get('rejected', 0)} quarantined {states.get('quarantined', 0)} "
        f"lost {len(checked.lost)} double {len(checked.duplicated)} "
        f"alerts {checked.alerts} ({alert_comparison}) "
        f"redriven {result.redriven} kills {result.kills} seconds {result.seconds:.0f}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
