"""Folders of this repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
COMMANDS_FOLDER = Path(__file__).with_name("commands")
BUILD = ROOT / "build"
DATA = ROOT / ".vigil"
PACKAGE = BUILD / "package" / "local"
PHOTOS = ROOT / "tests" / "photos"
