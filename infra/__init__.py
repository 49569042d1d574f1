"""Builds, ships, runs and measures what lies in functions/, layers/ and clients/; it may import all."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
for _place in (str(_ROOT / "layers"), str(_ROOT / "clients" / "python"), str(_ROOT / "clients" / "cli")):
    if _place not in sys.path:  # so that `python -m models.build` and its like need nothing set
        sys.path.append(_place)
