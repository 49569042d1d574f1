"""`python -m models.evaluation MODEL FOLDER`: measures a release on one split of a labelled dataset.

`python -m models.evaluation faces --impostors FOLDER` makes the calibration of a faces card instead.
"""

import argparse
import sys
from pathlib import Path

from models.evaluation.faces.command import calibrate_card, evaluate_folder, is_folder_of_people
from models.evaluation.faces.quality import write_quality
from models.evaluation.report import evaluate_release
from vigil.errors import VigilError

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.impostors is not None:
        return calibrate_card(arguments.models, arguments.model, arguments.impostors, arguments.card)
    target = arguments.out or ROOT / "build" / "evaluation" / arguments.model
    try:
        evaluate = evaluate_folder if is_folder_of_people(arguments.data) else evaluate_release
        report = evaluate(arguments.models, arguments.model, arguments.data, target)
    except VigilError as error:
        sys.stderr.write(f"evaluate: {error}\n")
        return 1
    if arguments.cards is not None:
        write_quality(arguments.cards, report.figures)
    for name, figure in report.figures["figures"].items():
        if figure["value"] is not None:
            sys.stdout.write(
                f"{name:26} {figure['value']:.4f}  ({figure['low']:.4f} to {figure['high']:.4f})\n"
            )
    for figure in report.figures.get("fnir_at_fpir", ()):
        remark = "" if figure["resolved"] else "  too few unenrolled people"
        sys.stdout.write(f"fnir at fpir {figure['fpir']:<7g} {figure['fnir']['value']:.4f}{remark}\n")
    sys.stdout.write(f"{report.json}\n{report.html}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.evaluation", description="Measure a release.")
    parser.add_argument("model", help="name of the release's folder")
    parser.add_argument(
        "data", type=Path, nargs="?", help="folder of one split, or of enrolled/PERSON/ and strangers/PERSON/"
    )
    parser.add_argument("--impostors", type=Path, help="folder of enrolled/PERSON/ and strangers/PERSON/")
    parser.add_argument("--card", type=Path, help="card to write the calibration to; it is printed anyway")
    parser.add_argument(
        "--cards", type=Path, help="folder of the cards of face recognition to write the figures to"
    )
    parser.add_argument("--models", type=Path, default=ROOT / "build" / "models", help="folder with releases")
    parser.add_argument("--out", type=Path, help="output folder; by default build/evaluation/MODEL")
    return parser


if __name__ == "__main__":
    sys.exit(main())
