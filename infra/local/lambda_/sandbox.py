"""The files and environment of a function: code, layers below /opt, Lambda's runtime, variables."""

from __future__ import annotations

import fcntl
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
from infra.lock_file import locked_requirements

_RUNTIME_PACKAGES = (
    *("awslambdaric", "snapshot-restore-py", "simplejson", "boto3", "botocore", "s3transfer", "jmespath"),
    *("python-dateutil", "six", "urllib3"),
)

PYTHON_RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One Lambda function; `environment` are the variables of the template."""

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


def unpack_code(code: Path, into: Path) -> Path:
    """Return the folder of a function's code; a zip is unpacked once for each content."""
    if code.is_dir():
        return code
    if not code.is_file():
        raise StartupFailed(f"{code} is missing: run `make package` first")
    folder = into / hashlib.sha256(code.read_bytes()).hexdigest()[:16]
    if not folder.is_dir():
        into.mkdir(parents=True, exist_ok=True)
        draft = Path(mkdtemp(dir=into))
        with zipfile.ZipFile(code) as archive:
            archive.extractall(draft)
        draft.rename(folder)
    return folder


def merge_layers(layers: Sequence[Path], into: Path) -> Path:
    """Return a folder for /opt with links to the layers' files; a later layer replaces an earlier one's."""
    missing = [str(layer) for layer in layers if not layer.is_dir()]
    if missing:
        raise StartupFailed(f"layer folder {', '.join(missing)} is missing: run `make package` first")
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
    """Return the environment of a worker: Lambda's variables, the endpoints, and the function's variables.

    A value that starts with /opt becomes a path in the folder of the layers. Imports are found in the order
    of Lambda: code, layers, runtime.
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


def lambda_runtime_folder(
    build: Path, lock_file: Path, *, on_progress: Callable[[str], None] | None = None
) -> Path:
    """Return the folder for /var/runtime of this Python version; the first call installs it in `build`.

    The folder is renamed when it is complete, so an interrupted installation is repeated.
    Other processes wait.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = build / f"lambda-runtime-{version}"
    build.mkdir(parents=True, exist_ok=True)
    with (build / "lambda-runtime.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            if on_progress:
                on_progress(f"installing the Lambda runtime for Python {version} (once)")
            draft = Path(mkdtemp(prefix="lambda-runtime-", dir=build))
            _install_runtime(draft, lock_file)
            draft.chmod(0o755)
            draft.rename(folder)
    return folder


def _install_runtime(folder: Path, lock_file: Path) -> None:
    listed = folder / "requirements.txt"
    listed.write_text("\n".join(locked_requirements(lock_file, _RUNTIME_PACKAGES)))
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--no-deps",
        "--require-hashes",
    ]
    result = subprocess.run(
        [*install, "--target", str(folder), "-r", str(listed)], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise StartupFailed(f"cannot install the Lambda runtime: {result.stderr.strip()}")
