"""Lays out the rooms as the project that Chalice expects: app.py, vendor/, .chalice/."""

import shutil
from pathlib import Path

from infra.package.errors import PackagingError
from infra.package.fresh import files

ROOMS = {"functions": "functions", "layers/vigil": "vigil", "layers/cloud": "cloud"}
"""Folder here -> package in the function zip."""

CONFIG = "chalice.json"
POLICIES = "infra/policies"

_APP = '''"""Where Lambda and Chalice look first; everything lives in `functions`."""

from functions.app import app

__all__ = ["app"]
'''


def sources(root: Path) -> list[Path]:
    """All that a Chalice project is made from."""
    return [*(root / room for room in ROOMS), root / CONFIG, root / POLICIES]


def lay_out(root: Path, project: Path) -> None:
    """Write a Chalice project to `project`, whose empty requirements keep Chalice from fetching anything."""
    if not (root / CONFIG).is_file():
        raise PackagingError(f"{CONFIG} is missing: it names the app and what each function may do.")
    vendor = project / "vendor"
    for room, package in ROOMS.items():
        _copy(root / room, vendor / package)
    _copy(root / POLICIES, project / ".chalice")
    shutil.copyfile(root / CONFIG, project / ".chalice" / "config.json")
    (project / "app.py").write_text(_APP)
    (project / "requirements.txt").write_text("")


def _copy(room: Path, place: Path) -> None:
    place.mkdir(parents=True)
    for path in files(room):
        copied = place / path.relative_to(room)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
