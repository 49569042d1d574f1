"""Files of known types: those of this repository, and others that are written here."""

import bz2
import gzip
import io
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
from collections.abc import Iterator

import numpy as np
from PIL import Image

from models.build.files import ROOT

LABEL_BY_PATTERN = {
    "layers/**/*.py": "python",
    "infra/policies/*.json": "json",
    "models/*/card.toml": "toml",
    "docs/*.md": "markdown",
    "docs/*.svg": "svg",
    "tests/photos/*.jpg": "jpeg",
    "infra/template.yaml": "yaml",
    "Makefile": "makefile",
}
LARGEST_PER_TYPE = 40
"""Files of one type, so that one type does not decide the figure."""


def file_examples() -> Iterator[tuple[str, bytes]]:
    """(label, content) of each file."""
    for pattern, label in LABEL_BY_PATTERN.items():
        paths = [path for path in sorted(ROOT.glob(pattern)) if path.stat().st_size > 500]
        for path in paths[:LARGEST_PER_TYPE]:
            yield label, path.read_bytes()
    yield from _pictures()
    yield from _archives()
    yield from _data()


def _pictures() -> Iterator[tuple[str, bytes]]:
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8))
    for kind in ("png", "gif", "bmp", "tiff", "webp", "jpeg", "ico"):
        out = io.BytesIO()
        picture.save(out, kind)
        yield kind, out.getvalue()


def _archives() -> Iterator[tuple[str, bytes]]:
    text = (ROOT / "README.md").read_bytes()
    yield "gzip", gzip.compress(text)
    yield "bzip", bz2.compress(text)
    yield "xz", lzma.compress(text)
    zipped, tar = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notes/README.md", text)
    yield "zip", zipped.getvalue()
    with tarfile.open(fileobj=tar, mode="w") as archive_tar:
        member = tarfile.TarInfo("notes/README.md")
        member.size = len(text)
        archive_tar.addfile(member, io.BytesIO(text))
    yield "tar", tar.getvalue()


def _data() -> Iterator[tuple[str, bytes]]:
    values = np.random.default_rng(1).normal(size=(100, 8)).astype(np.float32)
    out = io.BytesIO()
    np.save(out, values)
    yield "npy", out.getvalue()
    yield "pickle", pickle.dumps({"values": values.tolist()})
    rows = "\n".join(",".join(f"{value:.3f}" for value in row) for row in values)
    yield "csv", f"a,b,c,d,e,f,g,h\n{rows}\n".encode()
    connection = sqlite3.connect(":memory:")
    connection.execute("create table people (id integer primary key, name text)")
    yield "sqlite", bytes(connection.serialize())
