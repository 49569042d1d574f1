"""Creates the virtual environment build/training-venv, and the command that runs a training job in it.

`python -m models.training.environment` creates it and prints its interpreter.
"""

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / "build" / "training-venv"
LOCK, TORCH_CPU_LOCK, TORCH_LOCK = (
    ROOT / "models" / "training" / f"{name}.lock" for name in ("requirements", "torch-cpu", "torch")
)
"""The packages with their hashes: all but torch; its build for CPUs; its build for GPUs with libraries."""

TRAINING_MODULE = "models.training"
"""The module that a training job runs, in the container and on any machine."""

INSTALL_TIMEOUT_S = 1200


class TrainingEnvironmentError(Exception):
    """The environment could not be created; the message says why."""


def is_created() -> bool:
    """Whether the environment exists for the present requirements."""
    stamp = VENV / "made-from"
    return stamp.is_file() and stamp.read_text("utf-8") == _requirements_fingerprint()


def training_python() -> Path:
    """The interpreter; one process creates the environment, others wait. Raises TrainingEnvironmentError."""
    VENV.parent.mkdir(parents=True, exist_ok=True)
    with _exclusive_lock(VENV.resolve().parent / "training-venv.lock"):
        if not is_created():
            _create_venv()
            (VENV / "made-from").write_text(_requirements_fingerprint(), "utf-8")
    return VENV / "bin" / "python"


def training_command(python: Path, root: Path, *extra_arguments: str) -> list[str]:
    """The command for the job under `root`; run it in the project's root with `training_environment`."""
    return [str(python), "-m", TRAINING_MODULE, "--root", str(root), *extra_arguments]


def training_environment() -> Mapping[str, str]:
    """The container's environment variables, and none of this process."""
    return {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'layers'}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": "/usr/bin:/bin",
    }


def _create_venv() -> None:
    pip = (str(VENV / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check")
    install = (*pip, "--require-hashes", "--no-deps", "-r")
    try:
        _run(sys.executable, "-m", "venv", "--clear", str(VENV))
        _run(*install, str(LOCK))
        try:
            _run(*install, str(TORCH_CPU_LOCK))
        except subprocess.CalledProcessError:  # no index offers it
            _run(*install, str(TORCH_LOCK))
    except (OSError, subprocess.SubprocessError) as error:
        stderr = getattr(error, "stderr", None) or b""
        last = stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [str(error)]
        raise TrainingEnvironmentError(
            f"the packages of training could not be installed: {last[0]}"
        ) from error


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_TIMEOUT_S)


def _requirements_fingerprint() -> str:
    return hashlib.sha256(LOCK.read_bytes() + TORCH_LOCK.read_bytes() + sys.version.encode()).hexdigest()


@contextmanager
def _exclusive_lock(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> int:
    try:
        python = training_python()
    except TrainingEnvironmentError as error:
        sys.stderr.write(f"trainer: {error}\n")
        return 1
    sys.stdout.write(f"{python}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
