"""Where a function's code sees itself: its unpacked zip, the folder that plays /opt, its environment."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from infra.local.errors import StartupFailed

PYTHON_RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One Lambda function as its worker needs it; `environment` is the template's own, resolved."""

    logical_id: str
    name: str
    arn: str
    handler: str
    timeout_s: int
    memory_mb: int
    reserved_concurrency: int | None
    code_folder: Path
    opt_folder: Path
    environment: Mapping[str, str]
    dead_letter_arn: str | None = None


def unpack_code(code: Path, into: Path) -> Path:
    """The folder with this code: itself if it is one already, else the zip unpacked once per content."""
    if code.is_dir():
        return code
    if not code.is_file():
        raise StartupFailed(f"{code} is missing: package first")
    folder = into / hashlib.sha256(code.read_bytes()).hexdigest()[:16]
    if not folder.is_dir():
        into.mkdir(parents=True, exist_ok=True)
        draft = Path(mkdtemp(dir=into))
        with zipfile.ZipFile(code) as archive:
            archive.extractall(draft)
        draft.rename(folder)
    return folder


def merge_layers(layers: Sequence[Path], into: Path) -> Path:
    """The folder that plays /opt: the layers' files by link, a later layer over an earlier one."""
    missing = [str(layer) for layer in layers if not layer.is_dir()]
    if missing:
        raise StartupFailed(f"layer folder {', '.join(missing)} is missing: package first")
    names = "\n".join(str(layer.resolve()) for layer in layers)
    folder = into / hashlib.sha256(names.encode()).hexdigest()[:16]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _link_layers([layer.resolve() for layer in layers], folder)
    return folder


def _link_layers(sources: Sequence[Path], folder: Path) -> None:
    children_by_name: dict[str, list[Path]] = {}
    for source in sources:
        for child in source.iterdir():
            children_by_name.setdefault(child.name, []).append(child)
    for name, children in children_by_name.items():
        if len(children) > 1 and all(child.is_dir() for child in children):
            (folder / name).mkdir()
            _link_layers(children, folder / name)
        else:
            (folder / name).symlink_to(children[-1])


def worker_environment(
    spec: FunctionSpec,
    *,
    endpoint_variables: Mapping[str, str],
    runtime_folder: Path,
    temporary_folder: Path,
    log_stream: str,
) -> dict[str, str]:
    """All that a worker may see: what Lambda gives, where the cloud is, and the function's own variables.

    A value that starts with /opt becomes a path in the folder that plays it. The order of the import path
    is Lambda's: the task, the layers, the runtime.
    """
    opt = spec.opt_folder
    site_packages = opt / f"python/lib/{PYTHON_RUNTIME}/site-packages"
    import_path = [spec.code_folder, site_packages, opt / "python", runtime_folder]
    lambda_variables = {
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{spec.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{PYTHON_RUNTIME}",
        "LAMBDA_TASK_ROOT": str(spec.code_folder),
        "LAMBDA_RUNTIME_DIR": str(runtime_folder),
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": str(opt / "lib"),
        "PATH": f"/usr/local/bin:/usr/bin:/bin:{opt / 'bin'}",
        "PYTHONPATH": ":".join(map(str, import_path)),
        "TMPDIR": str(temporary_folder),
        "TZ": ":UTC",
        "_HANDLER": spec.handler,
    }
    template_variables = {name: _resolve_opt_path(value, opt) for name, value in spec.environment.items()}
    return {**lambda_variables, **endpoint_variables, **template_variables}


def _resolve_opt_path(value: str, opt: Path) -> str:
    inside = value == "/opt" or value.startswith("/opt/")
    return f"{opt}{value.removeprefix('/opt')}" if inside else value


# MERGED: What AWS's own Python runtime brings to every function: its runtime client and boto3.

_PACKAGES = ("awslambdaric", "boto3")


def lambda_runtime_folder(
    build: Path, constraints: Path, *, on_progress: Callable[[str], None] | None = None
) -> Path:
    """The folder that plays /var/runtime for this interpreter, installed into `build` the first time.

    The folder appears only when it is whole, so an installation cut short is simply done again.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = build / f"lambda-runtime-{version}"
    if not folder.is_dir():
        if on_progress:
            on_progress(f"installing the Lambda runtime for Python {version} (once)")
        build.mkdir(parents=True, exist_ok=True)
        draft = Path(mkdtemp(prefix="lambda-runtime-", dir=build))
        _install_runtime(draft, constraints)
        draft.chmod(0o755)
        draft.rename(folder)
    return folder


def _install_runtime(folder: Path, constraints: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--target", str(folder)]
    result = subprocess.run(
        [*command, "--constraint", str(constraints), *_PACKAGES], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise StartupFailed(f"the Lambda runtime could not be installed: {result.stderr.strip()}")
