"""How much memory a process holds: the resident set, as Lambda bills and limits it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MIB = 1024 * 1024


def resident_mb(pid: int) -> float:
    """Megabytes resident now; 0 once the process is gone."""
    if sys.platform != "linux":
        return _resident_by_ps(pid)
    try:
        pages = Path(f"/proc/{pid}/statm").read_bytes().split()[1]
    except (OSError, IndexError):
        return 0.0
    return int(pages) * _PAGE / _MIB


def _resident_by_ps(pid: int) -> float:
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return float(shown.stdout.strip() or 0) / 1024
