"""`python -m infra.chaos [--seed N] [--drops 500]`: a line, a plot, and exit code 1 if a promise broke."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from infra.chaos.play import Outcome, play
from infra.models.photos import fetch_photos
from infra.package import package


def main(arguments: list[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m infra.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--drops", type=int, default=500)
    parser.add_argument("--receives", type=int, default=3, help="tries before a message is a dead letter")
    parser.add_argument("--minute", type=float, default=3.0, help="seconds that those who mend take for one")
    parser.add_argument("--patience", type=float, default=400.0, help="seconds of calm at most")
    parser.add_argument("--out", type=Path, default=Path("build/chaos.png"))
    chosen = parser.parse_args(arguments)
    package("local")
    fetch_photos()
    with tempfile.TemporaryDirectory(prefix="vigil-chaos-") as data:
        outcome = play(
            chosen.seed,
            chosen.drops,
            receives=chosen.receives,
            minute_s=chosen.minute,
            data=Path(data),
            patience_s=chosen.patience,
        )
    from infra.chaos.plot import draw  # noqa: PLC0415 - matplotlib only where something is drawn

    draw(outcome, chosen.seed, chosen.out)
    wrong = outcome.verdict.differs(outcome.quiet)
    console = Console(highlight=False, soft_wrap=True)
    for sentence in wrong:
        console.print(f"  {sentence}")
    console.print(f"{line(outcome, wrong)}\nplot: {chosen.out}")
    return 1 if wrong else 0


def line(outcome: Outcome, wrong: list[str]) -> str:
    """All figures of a run in one line."""
    verdict, states = outcome.verdict, outcome.verdict.states
    equal = "as in a quiet run" if verdict.alerts == outcome.quiet.alerts else f"quiet {outcome.quiet.alerts}"
    return (
        f"chaos: {'failed' if wrong else 'ok'} drops {outcome.drops} done {states.get('done', 0)} "
        f"rejected {states.get('rejected', 0)} quarantined {states.get('quarantined', 0)} "
        f"lost {len(verdict.lost)} double {len(verdict.double)} alerts {verdict.alerts} ({equal}) "
        f"redriven {outcome.redriven} kills {outcome.kills} seconds {outcome.seconds:.0f}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
