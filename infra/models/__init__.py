"""Fetch published networks, rewrite them, prove each rewrite equal, and write releases under build/models."""

import sys
from pathlib import Path

_LAYERS = str(Path(__file__).resolve().parents[2] / "layers")
if _LAYERS not in sys.path:  # so that `python -m infra.models` needs nothing set
    sys.path.append(_LAYERS)
