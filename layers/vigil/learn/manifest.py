"""A data set's entries as JSON lines, and back: one entry a line, the same text for the same entries."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from vigil.errors import VigilError
from vigil.learn.example import SPLITS, Entry

VERSION = 2


class BadManifest(VigilError):
    """A line of a manifest is not an entry; the message says which and why."""


def written(entries: Iterable[Entry]) -> str:
    """The manifest's text."""
    return "".join(_line(entry) for entry in entries)


def read(text: str) -> tuple[Entry, ...]:
    """The entries of a manifest's text. Raises BadManifest."""
    return tuple(_entry(line, number) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def _line(entry: Entry) -> str:
    fields = {
        "version": VERSION,
        "object": entry.object,
        "sha256": entry.sha256,
        "label": entry.label,
        "split": entry.split,
        "group": entry.group,
        "labelled_by": entry.labelled_by,
        "labelled_at": entry.labelled_at.isoformat(),
        "people": list(entry.people),
        "keep_until": entry.keep_until.isoformat() if entry.keep_until else None,
        "slices": dict(sorted(entry.slices.items())),
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"


def _entry(line: str, number: int) -> Entry:
    try:
        return _checked(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadManifest(f"line {number} of the manifest: {error!r}") from error


def _checked(fields: dict[str, Any]) -> Entry:
    if fields["version"] != VERSION or fields["split"] not in SPLITS:
        raise ValueError(f"version {fields['version']!r} or split {fields['split']!r} is unknown")
    return Entry(
        object=str(fields["object"]),
        sha256=str(fields["sha256"]),
        label=str(fields["label"]),
        split=fields["split"],
        group=str(fields["group"]),
        labelled_by=str(fields["labelled_by"]),
        labelled_at=datetime.fromisoformat(fields["labelled_at"]),
        people=tuple(map(str, fields["people"])),
        keep_until=datetime.fromisoformat(fields["keep_until"]) if fields["keep_until"] else None,
        slices={str(name): str(value) for name, value in fields["slices"].items()},
    )
