"""Where things lie in this repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"
DATA = ROOT / ".vigil"
PACKAGE = BUILD / "package" / "local"
PHOTOS = ROOT / "tests" / "photos"
