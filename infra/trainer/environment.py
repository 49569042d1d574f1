"""Makes build/training-venv once, and says which command runs a training job in it."""

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "build" / "training-venv"
REQUIREMENTS = ROOT / "models" / "training" / "requirements.txt"
ENTRY = "models.training"
"""The module that a training job runs, in the container as on this machine."""

INSTALL_S = 1200


class NoTrainer(Exception):
    """The environment could not be made; the message says why."""


def trainer_python() -> Path:
    """The environment's interpreter; the first process to ask makes it, others wait. Raises NoTrainer."""
    HOME.parent.mkdir(parents=True, exist_ok=True)
    with _alone(HOME.parent / "training-venv.lock"):
        stamp, wanted = HOME / "made-from", _wanted()
        if not stamp.is_file() or stamp.read_text("utf-8") != wanted:
            _make()
            stamp.write_text(wanted, "utf-8")
    return HOME / "bin" / "python"


def command(python: Path, root: Path, *more: str) -> list[str]:
    """Run the job whose folders lie under `root`, with `environment` from the project's root."""
    return [str(python), "-m", ENTRY, "--root", str(root), *more]


def environment() -> Mapping[str, str]:
    """What the container sets, and nothing of this process's own."""
    return {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'layers'}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": "/usr/bin:/bin",
    }


def _make() -> None:
    pip = (str(HOME / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check")
    try:
        _run(sys.executable, "-m", "venv", "--clear", str(HOME))
        _run(*pip, "-r", str(REQUIREMENTS))
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or b""
        last = said.decode("utf-8", "replace").strip().splitlines()[-1:] or [str(error)]
        raise NoTrainer(f"models/training/requirements.txt could not be installed: {last[0]}") from error


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=INSTALL_S)


def _wanted() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """While this process holds the lock; it falls with the process."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
