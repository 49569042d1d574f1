"""The check of the files of a release before they are built or stored."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from vigil.inference.network.check import check_release
from vigil.inference.release import open_release


def check_files(name: str, files: Mapping[str, bytes]) -> None:
    """Raises InvalidToml or BrokenRelease, with file, key, reason and what would be right."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / name
        folder.mkdir()
        for file, data in files.items():
            (folder / file).write_bytes(data)
        check_release(open_release(Path(root), name))
