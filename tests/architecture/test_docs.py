"""The documents name files and make targets that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").rglob("README.md")]
    if path.name != "CHANGELOG.md"
)
SOURCE_FOLDERS = ("functions", "layers", "models", "infra", "clients", "tests", "docs")
SHORT_FOLDERS = {"vigil": "layers/vigil", "cloud": "layers/cloud"}
PATH = re.compile(r"`([a-z_]+/[\w./-]+)`")
"""A path between backticks; one with a placeholder such as <name> is not a path."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_in_a_document_exists(document: Path):
    missing = [path for path in PATH.findall(document.read_text()) if not _exists(path)]

    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_in_a_document_leads_to_a_file(document: Path):
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())

    assert not [target for target in targets if not (document.parent / target).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_target_in_a_document_exists(document: Path):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"`make ([a-z-]+)", document.read_text())) <= targets


def _exists(path: str) -> bool:
    first, _, rest = path.partition("/")
    if first in SHORT_FOLDERS:
        return (ROOT / SHORT_FOLDERS[first] / rest).exists()
    return first not in SOURCE_FOLDERS or (ROOT / path).exists()
