"""Reads requirements.lock: every package with its version and the SHA-256 of its files (`make lock`)."""

import re
from collections.abc import Iterable
from pathlib import Path

LOCK_PATH = "requirements.lock"


class NotLocked(Exception):
    """A package has no entry in the lock file; the message names it."""


def locked_requirements(lock: Path, names: Iterable[str]) -> list[str]:
    """The entries of these packages, for `pip install --require-hashes --no-deps -r`. Raises NotLocked.

    Environment markers are left out: the packages are needed wherever they are installed.
    """
    entries = re.split(r"\n(?=\S)", lock.read_text("utf-8").strip())
    locked = {_normalized_name(entry.partition("==")[0]): _without_marker(entry) for entry in entries}
    keys = [_normalized_name(name) for name in names]
    if missing := [key for key in keys if key not in locked]:
        raise NotLocked(f"{lock.name} has no entry for {', '.join(missing)}; run `make lock`.")
    return [locked[key] for key in keys]


def version_of(requirement: str) -> str:
    """`name==version` of an entry."""
    return requirement.split(maxsplit=1)[0]


def _without_marker(entry: str) -> str:
    first, *hashes = entry.splitlines()
    return "\n".join([f"{version_of(first)} \\", *hashes])


def _normalized_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
