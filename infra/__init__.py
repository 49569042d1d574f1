"""Template, policies, monitoring, packaging, deployment and the local cloud; it may import all other code."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
for _folder in (str(_ROOT / "layers"), str(_ROOT / "clients" / "python"), str(_ROOT / "clients" / "cli")):
    if _folder not in sys.path:  # `python -m infra.package` works without PYTHONPATH
        sys.path.append(_folder)
