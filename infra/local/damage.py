"""A file of a layer, damaged for a while: workers that start meanwhile find half of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def damaged(opt: Path, inside: str) -> Iterator[None]:
    """Halve `inside` (say, models/eye/eye.onnx) in the folder that plays /opt, not in the layer itself."""
    link = opt / Path(inside).parts[0]
    whole, copy = link.resolve(), opt / f"{link.name}.damaged"
    shutil.copytree(whole, copy, copy_function=os.symlink)
    file = copy / Path(inside).relative_to(link.name)
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(data[: len(data) // 2])
    _point(link, copy)
    try:
        yield
    finally:
        _point(link, whole)
        shutil.rmtree(copy)


def _point(link: Path, target: Path) -> None:
    """Whoever looks sees the old target or the new one."""
    draft = link.with_name(f"{link.name}.new")
    draft.symlink_to(target)
    draft.replace(link)
