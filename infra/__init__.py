"""Builds, ships, runs and measures what lies in functions/ and layers/, and may import both."""

import sys
from pathlib import Path

_LAYERS = str(Path(__file__).resolve().parents[1] / "layers")
if _LAYERS not in sys.path:  # so that `python -m infra.models` and its like need nothing set
    sys.path.append(_LAYERS)
