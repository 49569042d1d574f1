"""The folders of a build in a test."""

from pathlib import Path
from typing import TypedDict


class BuildFolders(TypedDict):
    cards: Path
    releases: Path
    cache: Path


def build_folders(root: Path) -> BuildFolders:
    return {"cards": root / "cards", "releases": root / "out", "cache": root / "cache"}
