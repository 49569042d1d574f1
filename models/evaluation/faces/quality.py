"""Writes what an evaluation measured into the tables [quality] of the cards of face recognition."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

QUALITY_HEADER = "[quality]"

NEXT_TABLE = "[matching.calibration]"
"""Of the faces card. It comes after the quality: the command that calibrates replaces the card's end."""

CARD_FIGURES = {
    "face-detect": (
        "recall_",
        "false_faces_per_",
        "overlapping_faces",
        "close_cuts_wrong_",
    ),
    "face-landmark": ("landmark_movement_",),
    "face-embed": ("pair_accuracy", "true_match_rate_"),
    "faces": ("right", "wrong", "unenrolled_named", "rank_one"),
}
"""Beginnings of the names of the figures that each card states."""


def write_quality(cards: Path, figures: Mapping[str, Any]) -> None:
    """Replace the quality in each card.

    cards    folder with the folder of each model
    figures  content of evaluation.json, with the release, the date and the id of the data
    """
    for name, prefixes in CARD_FIGURES.items():
        card = cards / name / "card.toml"
        table = "\n".join(_quality_lines(figures, prefixes)) + "\n"
        card.write_text(_replace_quality(card.read_text("utf-8"), table), "utf-8")


def _quality_lines(figures: Mapping[str, Any], prefixes: tuple[str, ...]) -> Iterator[str]:
    yield QUALITY_HEADER
    yield "# Made by `python -m models.evaluation faces FOLDER --cards models`."
    yield f'release = "{figures["release"]}" # of models/faces, that was run'
    yield f'date = "{figures["date"]}"'
    yield f'data = "{figures["data"]}" # hash of the photographs'
    for name, figure in figures["figures"].items():
        if name.startswith(prefixes) and figure["value"] is not None:
            yield f"{name} = {figure['value']:.4g}"


def _replace_quality(text: str, table: str) -> str:
    """The card with the table in place of its quality, or before its calibration, or at its end."""
    before, found, after = text.partition(QUALITY_HEADER)
    if found:
        _, begins_table, rest = after.partition("\n[")
        return f"{before}{table}" + (f"\n[{rest}" if begins_table else "")
    before, found, after = text.partition(NEXT_TABLE)
    return f"{before}{table}\n{found}{after}" if found else f"{text}\n{table}"
