"""The Makefile: its help, and setup without a suitable Python."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOO_OLD_PYTHON = "#!/bin/sh\nexit 1\n"
PYTHON_WITHOUT_VENV = '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files of a clone that `make setup` needs, with programs but without a real Python."""
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    for program in ("bash", "sh", "make", "awk", "touch"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / program).symlink_to(shutil.which(program) or "missing")
    return tmp_path


def test_help_fits_a_screen_and_lists_every_target():
    output = _run_make(ROOT).stdout

    goals = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {line.split()[1] for line in output.splitlines()} == goals
    assert len(output.splitlines()) <= 23
    assert max(map(len, output.splitlines())) <= 80


def test_setup_without_a_recent_python_fails_with_an_explanation(checkout: Path):
    _install_fake_python(checkout, TOO_OLD_PYTHON)

    answer = _run_make(checkout, "setup")

    assert answer.returncode != 0
    assert "setup: Python 3.11 or newer with venv is needed" in answer.stdout


def test_setup_without_venv_names_the_package_to_install(checkout: Path):
    _install_fake_python(checkout, PYTHON_WITHOUT_VENV)

    answer = _run_make(checkout, "setup")

    assert answer.returncode != 0
    assert "apt install python3-venv" in answer.stdout


def _install_fake_python(checkout: Path, script: str) -> None:
    python = checkout / "bin" / "python3"
    python.write_text(script)
    python.chmod(0o755)


def _run_make(folder: Path, *goals: str) -> subprocess.CompletedProcess[str]:
    own = {"PATH": str(folder / "bin")} if (folder / "bin").exists() else None
    command = ["make", "-C", str(folder), "--no-print-directory", *goals]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=own)
