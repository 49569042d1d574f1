"""A worker's own copy of its layers, in which one bit of one file fell over."""

from __future__ import annotations

from pathlib import Path


def damaged(opt: Path, inside: str, into: Path) -> Path:
    """A folder like the one that plays /opt, made of links; only `inside` (models/eye/eye.onnx) is its own.

    The file keeps its length: nothing but its content says that it is not what it was.
    """
    *folders, name = Path(inside).parts
    here, there = opt, into
    for folder in folders:
        _linked(here, there, but=folder)
        here, there = here / folder, there / folder
    _linked(here, there, but=name)
    data = bytearray((opt / inside).read_bytes())
    data[len(data) // 2] ^= 1
    (into / inside).write_bytes(data)
    return into


def _linked(source: Path, folder: Path, *, but: str) -> None:
    folder.mkdir(parents=True)
    for child in source.iterdir():
        if child.name != but:
            (folder / child.name).symlink_to(child.resolve())
