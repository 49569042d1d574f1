"""Whether anything grew that must not."""

from __future__ import annotations

from collections.abc import Sequence

from infra.soak.watch import DATABASE, Look, growth, series

FLAT_MB = 12.0
"""What a process may gain after warming up, however long the soak."""

ROWS_MB = 0.02
"""What the database may gain a drop: its rows, indexes and stream are in memory."""

STEADY = 20.0
"""By how many drops the unfinished ones may grow, however many are dropped."""


def faults(looks: Sequence[Look]) -> list[str]:
    """A sentence for each thing that grew; none where all is flat."""
    said = []
    for process in processes(looks):
        gained, most = growth(*series(looks, process)), _most(looks, process)
        if gained > most:
            said.append(f"{process} grew by {gained:.1f} MB, at most {most:.1f} were expected")
    rising = growth([look.at_s for look in looks[:-1]], [look.unfinished for look in looks[:-1]])
    if rising > STEADY:
        said.append(f"drops without an end grew by {rising:.0f} under steady load")
    if looks[-1].unfinished:
        said.append(f"{looks[-1].unfinished} drops have no end")
    return said


def processes(looks: Sequence[Look]) -> list[str]:
    """Every kind of process that was seen."""
    return sorted({process for look in looks for process in look.resident_mb})


def _most(looks: Sequence[Look], process: str) -> float:
    return FLAT_MB + (ROWS_MB * looks[-1].drops if process == DATABASE else 0.0)
