"""Run the soak test: print one line, draw a plot, and exit with code 1 if something grows."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from infra.package import package
from models.build.sample_photos import fetch_photos
from tests.soak.checks import find_growth, process_names
from tests.soak.load import run_soak
from tests.soak.sampling import growth, memory_series


def main(arguments: list[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("build/soak.png"))
    options = parser.parse_args(arguments)
    package("local")
    fetch_photos()
    with tempfile.TemporaryDirectory(prefix="vigil-soak-") as data:
        samples = run_soak(options.minutes, options.seed, Path(data))
    from tests.soak.plot import draw_soak

    draw_soak(samples, options.out)
    problems = find_growth(samples)
    growth_by_process = ", ".join(
        f"{name} {growth(*memory_series(samples, name)):+.1f}" for name in process_names(samples)
    )
    console = Console(highlight=False, soft_wrap=True)
    for problem in problems:
        console.print(f"  {problem}")
    console.print(
        f"soak: {'failed' if problems else 'ok'} minutes {options.minutes:g} drops {samples[-1].uploaded} "
        f"unfinished {samples[-1].unfinished} growth in MB: {growth_by_process}\nplot: {options.out}"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
