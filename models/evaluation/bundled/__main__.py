"""`python -m models.evaluation.bundled --data FOLDER [MODEL ...]`: measures the bundled models.

Models that are not built are left out. Exits with 1 if a figure is below its first one. `--cards` writes the
figures into the cards.
"""

import argparse
import datetime
import re
import sys
from pathlib import Path

import tomli_w

from models.build.files import CARDS, RELEASES
from models.evaluation.bundled.cost import measure_cost
from models.evaluation.bundled.datasets import MissingData
from models.evaluation.bundled.measures import MEASURES, Figures
from models.evaluation.bundled.opening import open_network_model
from vigil.inference.release import CARD_FILE, open_release

FIRST_FIGURES: dict[str, Figures] = {
    "image-detect": {"people_found": 21 / 22},
    "transaction-fraud": {"average_precision": 0.753, "f1": 0.674},
    "audio-keywords": {"accuracy": 0.94},
}
"""What a first trial reached on the same data; a release may not be worse."""

DATA_NAMES = {
    "audio-speech": "Free Spoken Digit Dataset, every 20th of four speakers, within noise",
    "file-type": "files of this repository and generated ones, of 23 types",
    "image-classify": "five pictures of scikit-image 0.26.0",
    "image-detect": "six group photographs, the tests' portraits, three pictures of scikit-image 0.26.0",
    "text-embed": "sentence polarity (Pang and Lee 2005), a fifth held out",
    "transaction-fraud": "ULB card transactions (components rounded), the last quarter of the time",
    "audio-keywords": "Free Spoken Digit Dataset, four speakers, each left out once",
}


def main() -> int:
    arguments = _parser().parse_args()
    names = [name for name in MEASURES if (RELEASES / name).is_dir()]
    names = [name for name in arguments.models or names if name in names]
    sys.stdout.write(f"{'model':18} {'ms':>7} {'bare':>7} {'ratio':>6} {'MB':>6} {'opening':>8}  figures\n")
    is_worse = False
    for name in names:
        try:
            is_worse |= _check(name, arguments.data, write=arguments.cards)
        except MissingData as error:
            sys.stderr.write(f"{name}: {error}\n")
            return 1
    return int(is_worse)


def _check(name: str, data: Path, *, write: bool) -> bool:
    """Print a model's line; True if a figure is below its first one."""
    model = open_network_model(name)
    figures = {key: round(value, 4) for key, value in MEASURES[name](model, data).items()}
    first = FIRST_FIGURES.get(name, {})
    below = [key for key, least in first.items() if figures[key] < round(least, 4)]
    cost = measure_cost(open_release(RELEASES, name), model)
    texts = [
        f"{key} {value:g}" + (f" (first {first[key]:.3f})" if key in first else "")
        for key, value in figures.items()
    ]
    sys.stdout.write(
        f"{name:18} {cost.latency_ms:7.1f} {cost.bare_ms:7.1f} {cost.floor_ratio:6.2f} {cost.size_mb:6.1f} "
        f"{cost.opening_ms:6.0f}ms  {', '.join(texts)}{'  BELOW: ' + ', '.join(below) if below else ''}\n"
    )
    sys.stdout.flush()
    if write:
        write_quality(CARDS / name / CARD_FILE, figures, DATA_NAMES[name])
    return bool(below)


def write_quality(card: Path, figures: Figures, data: str) -> None:
    """Replace the card's last table, [quality]."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    values = {"data": data, "date": today, **figures}
    text = re.sub(r"\n\[quality\]\n.*", "", card.read_text("utf-8"), flags=re.DOTALL).rstrip()
    card.write_text(f"{text}\n\n[quality]\n{tomli_w.dumps(values)}", "utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.bundled", description=__doc__)
    parser.add_argument("models", nargs="*", help="names; by default all bundled models that are built")
    parser.add_argument("--data", type=Path, required=True, help="folder with the data files")
    parser.add_argument("--cards", action="store_true", help="write the figures into the cards")
    return parser


if __name__ == "__main__":
    sys.exit(main())
