"""`python -m infra.soak [--minutes 10]`: one line, a plot, and exit code 1 where something piles up."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from infra.models.photos import fetch_photos
from infra.package import package
from infra.soak.load import soak
from infra.soak.verdict import faults, processes
from infra.soak.watch import growth, series


def main(arguments: list[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m infra.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("build/soak.png"))
    chosen = parser.parse_args(arguments)
    package("local")
    fetch_photos()
    with tempfile.TemporaryDirectory(prefix="vigil-soak-") as data:
        looks = soak(chosen.minutes, chosen.seed, Path(data))
    from infra.soak.plot import draw  # noqa: PLC0415 - matplotlib only where something is drawn

    draw(looks, chosen.out)
    wrong = faults(looks)
    gains = ", ".join(f"{name} {growth(*series(looks, name)):+.1f}" for name in processes(looks))
    console = Console(highlight=False, soft_wrap=True)
    for sentence in wrong:
        console.print(f"  {sentence}")
    console.print(
        f"soak: {'failed' if wrong else 'ok'} minutes {chosen.minutes:g} drops {looks[-1].drops} "
        f"unfinished {looks[-1].unfinished} growth in MB: {gains}\nplot: {chosen.out}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
