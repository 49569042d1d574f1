"""botocore's descriptions of services, made quick to read: a third of a client's making was spent on them.

They ship compressed, with all of AWS's reference in prose, and beside a file of every service's endpoints.
"""

import gzip
import json
from pathlib import Path
from typing import Any


def thin(data: Path) -> None:
    """Leave out prose and the endpoints of services that are not described here, and unpack the rest."""
    packed = sorted(data.glob("*/*/*.json.gz"))
    described = [json.loads(gzip.decompress(path.read_bytes())) for path in packed]
    for path, description in zip(packed, described, strict=True):
        _write(path.with_suffix(""), _terse(description))
        path.unlink()
    used = {
        one["metadata"]["endpointPrefix"] for one in described if "endpointPrefix" in one.get("metadata", {})
    }
    endpoints = json.loads((data / "endpoints.json").read_text())
    for partition in endpoints["partitions"]:
        partition["services"] = {name: one for name, one in partition["services"].items() if name in used}
    _write(data / "endpoints.json", endpoints)


def _terse(part: Any) -> Any:
    """Prose is text; a field of that name is described by more than text. botocore asks for some of it."""
    match part:
        case {"documentation": str(), **told}:
            return {"documentation": "", **_terse(told)}
        case dict():
            return {name: _terse(one) for name, one in part.items()}
        case list():
            return [_terse(one) for one in part]
    return part


def _write(path: Path, told: Any) -> None:
    path.write_text(json.dumps(told, separators=(",", ":")))
