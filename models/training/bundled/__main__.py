"""`python -m models.training.bundled MODEL --data FOLDER`: trains a bundled model into its folder.

What it writes is committed; `make models-check` measures it on the held-out items.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from models.build.files import CARDS, write_file
from models.evaluation.bundled.datasets import MissingData
from models.evaluation.bundled.keyword_head import keyword_head
from models.evaluation.bundled.keyword_vectors import open_keyword_vectors
from models.training.bundled.fraud import train_fraud


def transaction_fraud(data: Path) -> str:
    trained = train_fraud(data)
    graph = trained.graph.SerializeToString(deterministic=True)
    write_file(CARDS / "transaction-fraud" / "model.onnx", graph)
    return f"output.threshold of the card: {trained.threshold:.6f}"


def audio_keywords(data: Path) -> str:
    head = keyword_head(open_keyword_vectors(), data)
    write_file(CARDS / "audio-keywords" / "head.npz", head.file)
    figures = head.accuracy_by_speaker
    by_speaker = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
    return f"accuracy by speaker left out: {by_speaker}; mean {sum(figures.values()) / len(figures):.4f}"


TRAINERS: Mapping[str, Callable[[Path], str]] = {
    "audio-keywords": audio_keywords,
    "transaction-fraud": transaction_fraud,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m models.training.bundled", description=__doc__)
    parser.add_argument("model", choices=sorted(TRAINERS))
    parser.add_argument("--data", type=Path, required=True, help="folder with the data files")
    arguments = parser.parse_args()
    try:
        sys.stdout.write(f"{arguments.model}: {TRAINERS[arguments.model](arguments.data)}\n")
    except MissingData as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
