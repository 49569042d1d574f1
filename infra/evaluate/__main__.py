"""`python -m infra.evaluate MODEL FOLDER`: measure a release on one split of a labelled data set."""

import argparse
import sys
from pathlib import Path

from infra.evaluate.report import report
from vigil.errors import VigilError

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    said = _parser().parse_args()
    target = said.out or ROOT / "build" / "evaluate" / said.model
    try:
        made = report(said.models, said.model, said.data, target)
    except VigilError as error:
        sys.stderr.write(f"evaluate: {error}\n")
        return 1
    for name, one in made.figures["figures"].items():
        if one["value"] is not None:
            sys.stdout.write(f"{name:20} {one['value']:.4f}  ({one['low']:.4f} to {one['high']:.4f})\n")
    for one in made.figures.get("misses", ()):
        doubt = "" if one["resolved"] else "  too few strangers to tell"
        sys.stdout.write(f"fnir at fpir {one['fpir']:<7g} {one['fnir']['value']:.4f}{doubt}\n")
    sys.stdout.write(f"{made.json}\n{made.html}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.evaluate", description="Measure a release.")
    parser.add_argument("model", help="name of the release's folder")
    parser.add_argument("data", type=Path, help="folder of one split: manifest.jsonl with its files, or .npz")
    parser.add_argument("--models", type=Path, default=ROOT / "build" / "models", help="where releases lie")
    parser.add_argument("--out", type=Path, help="where to write; build/evaluate/MODEL if not said")
    return parser


if __name__ == "__main__":
    sys.exit(main())
