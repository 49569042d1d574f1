"""Writes what was measured into the card of models/faces: margin, calibration and quality."""

import re
from collections.abc import Sequence
from pathlib import Path

from vigil.faces.calibration import Calibration

CALIBRATION_HEADER = "[matching.calibration]"
"""Everything from here to the end of the card is written by the command."""

LINE_WIDTH = 110


def write_calibration(card: Path, calibration: Calibration, low_quality_margin: float) -> None:
    """Replace the margin of the card, and its calibration, which must be its last tables."""
    head = card.read_text("utf-8").partition(CALIBRATION_HEADER)[0]
    head = re.sub(r"(?m)^low_quality_margin = [\d.]+", f"low_quality_margin = {low_quality_margin:g}", head)
    card.write_text(head + format_calibration(calibration), "utf-8")


def format_calibration(calibration: Calibration) -> str:
    """The tables [matching.calibration] and [matching.calibration.source]."""
    source = calibration.source
    lines = [
        CALIBRATION_HEADER,
        "# Made by `python -m models.evaluation faces --impostors FOLDER --card models/faces/card.toml`.",
        f'embedding_space = "{calibration.embedding_space}"',
        f"min_fmr = {calibration.min_fmr:g} # the lowest rate that is reported, whatever the tail gives",
        *_format_array("fmr", calibration.fmr),
        *_format_array("cosine", calibration.cosine),
    ]
    if source is not None:
        lines += [
            "",
            "[matching.calibration.source]",
            f'release = "{source.release}" # that was run; the release with this table has another id',
            f'date = "{source.date}"',
            f'data = "{source.data}" # hash of the photographs',
            f"pairs = {source.pairs} # of different people",
        ]
    return "\n".join(lines) + "\n"


def _format_array(name: str, values: Sequence[float]) -> list[str]:
    """The lines of an array, wrapped."""
    rows = [""]
    for value in values:
        item = f"{value:g}, "
        if len(rows[-1]) + len(item) + 4 > LINE_WIDTH:
            rows.append("")
        rows[-1] += item
    return [f"{name} = [", *(f"    {row.rstrip()}" for row in rows), "]"]
