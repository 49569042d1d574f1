"""Where a function's code sees itself: its unpacked zip, the folder that plays /opt, its environment."""

from __future__ import annotations

import hashlib
import shutil
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from infra.local.errors import CannotStart

VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One Lambda function as its worker needs it; `environment` is the template's own, resolved."""

    logical: str
    name: str
    arn: str
    handler: str
    timeout_s: int
    memory_mb: int
    reserved: int | None
    code: Path
    opt: Path
    environment: Mapping[str, str]
    dead_letters: str | None = None


def unpacked(code: Path, into: Path) -> Path:
    """The folder with this code: itself if it is one already, else the zip unpacked once per content."""
    if code.is_dir():
        return code
    if not code.is_file():
        raise CannotStart(f"{code} is missing: package first")
    folder = into / hashlib.sha256(code.read_bytes()).hexdigest()[:16]
    if not folder.is_dir():
        into.mkdir(parents=True, exist_ok=True)
        unfinished = Path(mkdtemp(dir=into))
        with zipfile.ZipFile(code) as archive:
            archive.extractall(unfinished)
        unfinished.rename(folder)
    return folder


def merged(layers: Sequence[Path], into: Path) -> Path:
    """The folder that plays /opt: the layers' files by link, a later layer over an earlier one."""
    missing = [str(layer) for layer in layers if not layer.is_dir()]
    if missing:
        raise CannotStart(f"layer folder {', '.join(missing)} is missing: package first")
    names = "\n".join(str(layer.resolve()) for layer in layers)
    folder = into / hashlib.sha256(names.encode()).hexdigest()[:16]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _link([layer.resolve() for layer in layers], folder)
    return folder


def _link(sources: Sequence[Path], folder: Path) -> None:
    found: dict[str, list[Path]] = {}
    for source in sources:
        for child in source.iterdir():
            found.setdefault(child.name, []).append(child)
    for name, children in found.items():
        if len(children) > 1 and all(child.is_dir() for child in children):
            (folder / name).mkdir()
            _link(children, folder / name)
        else:
            (folder / name).symlink_to(children[-1])


def environment(
    spec: FunctionSpec, *, cloud: Mapping[str, str], runtime: Path, temporary: Path, stream: str
) -> dict[str, str]:
    """All that a worker may see: what Lambda gives, where the cloud is, and the function's own variables.

    A value that starts with /opt becomes a path in the folder that plays it. The order of the import path
    is Lambda's: the task, the layers, the runtime.
    """
    search = [spec.code, spec.opt / f"python/lib/{VERSION}/site-packages", spec.opt / "python", runtime]
    given = {
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{spec.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{VERSION}",
        "LAMBDA_TASK_ROOT": str(spec.code),
        "LAMBDA_RUNTIME_DIR": str(runtime),
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": str(spec.opt / "lib"),
        "PATH": f"/usr/local/bin:/usr/bin:/bin:{spec.opt / 'bin'}",
        "PYTHONPATH": ":".join(map(str, search)),
        "TMPDIR": str(temporary),
        "TZ": ":UTC",
        "_HANDLER": spec.handler,
    }
    own = {name: _in_opt(value, spec.opt) for name, value in spec.environment.items()}
    return {**given, **cloud, **own}


def _in_opt(value: str, opt: Path) -> str:
    inside = value == "/opt" or value.startswith("/opt/")
    return f"{opt}{value.removeprefix('/opt')}" if inside else value
