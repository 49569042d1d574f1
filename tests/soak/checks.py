"""Checks for growth of memory and of unfinished drops."""

from __future__ import annotations

from collections.abc import Sequence

from tests.soak.sampling import (
    DATABASE,
    SoakSample,
    growth,
    memory_series,
)

MAX_GROWTH_MB = 12.0
"""Megabytes that a process may grow after warm-up."""

MAX_DATABASE_MB_PER_DROP = 0.02
"""Megabytes that the database may grow per drop: rows, indexes and stream are in memory."""

MAX_BACKLOG_GROWTH = 20.0
"""Number by which unfinished drops may grow."""


def find_growth(samples: Sequence[SoakSample]) -> list[str]:
    """Return one sentence for each series that grew."""
    problems = []
    for process in process_names(samples):
        gained, allowed_mb = growth(*memory_series(samples, process)), _allowed_growth_mb(samples, process)
        if gained > allowed_mb:
            problems.append(f"{process} grew by {gained:.1f} MB, at most {allowed_mb:.1f} were expected")
    rising = growth([look.at_s for look in samples[:-1]], [look.unfinished for look in samples[:-1]])
    if rising > MAX_BACKLOG_GROWTH:
        problems.append(f"drops without an end grew by {rising:.0f} under steady load")
    if samples[-1].unfinished:
        problems.append(f"{samples[-1].unfinished} drops have no end")
    return problems


def process_names(samples: Sequence[SoakSample]) -> list[str]:
    """Return the names of all sampled processes."""
    return sorted({process for look in samples for process in look.resident_mb})


def _allowed_growth_mb(samples: Sequence[SoakSample], process: str) -> float:
    return MAX_GROWTH_MB + (MAX_DATABASE_MB_PER_DROP * samples[-1].uploaded if process == DATABASE else 0.0)
