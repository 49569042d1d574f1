"""A training job's model.tar.gz becomes the files of a release; what is no plain file of it is refused."""

import io
import tarfile
from collections.abc import Mapping

from vigil.errors import VigilError

MOST_BYTES = 250_000_000
"""Unpacked: what a function's /tmp holds beside everything else."""


class BadParcel(VigilError):
    """The archive is damaged, or holds something else than a release's files."""


def unpack(data: bytes, model: str) -> Mapping[str, bytes]:
    """The files of folder `model` by name. Raises BadParcel."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            files = dict(_files(archive, model))
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BadParcel(f"model.tar.gz cannot be read: {error}") from error
    if "card.toml" not in files:
        raise BadParcel(f"model.tar.gz holds no {model}/card.toml")
    return files


def _files(archive: tarfile.TarFile, model: str) -> list[tuple[str, bytes]]:
    found, left = [], MOST_BYTES
    for member in archive:
        folder, slash, name = member.name.removeprefix("./").partition("/")
        if member.isdir() or folder != model or not slash:
            continue
        body = archive.extractfile(member) if member.isfile() else None
        left -= member.size
        if body is None or "/" in name or left < 0:
            raise BadParcel(f"{member.name[:100]!r} in model.tar.gz is no plain file, or too large")
        found.append((name, body.read()))
    return found
