"""The library that most people would take, `face_recognition`, in an environment and a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from infra.models.failure import BuildFailure
from infra.models.places import BUILD

HOME = BUILD / "bench-venv"
WORKER = Path(__file__).with_name("peer_worker.py")
NEEDED = (
    "setuptools<81",
    "dlib-bin==20.0.1.post1",
    "face_recognition_models==0.3.0",
    "click==8.5.1",
    "numpy==2.4.6",
    "pillow==13.0.0",
)
WITHOUT_DEPENDENCIES = ("face_recognition==1.3.0",)
"""It asks for dlib, which is built from source; dlib-bin is the same, built."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One photo through the peer.

    ms         from path to encodings
    encodings  (n, 128) float64; 0.6 of Euclidean distance is its threshold
    """

    ms: float
    encodings: NDArray[np.float64]


class Peer:
    """A running worker, on one thread; a context manager that ends it."""

    def __init__(self) -> None:
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        self._worker = subprocess.Popen(
            [str(prepared()), str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **one_thread},
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._worker.communicate()

    def see(self, photo: Path) -> Seen:
        ask, answer = _pipes(self._worker)
        ask.write(f"{photo}\n")
        ask.flush()
        told = json.loads(answer.readline())
        return Seen(told["ms"], np.array(told["encodings"]).reshape(-1, 128))


def prepared() -> Path:
    """The environment's interpreter, installed at first use."""
    python = HOME / "bin" / "python"
    ready = HOME / ".ready"
    if not ready.exists():
        _run([sys.executable, "-m", "venv", str(HOME)])
        _run([str(python), "-m", "pip", "install", "--quiet", *NEEDED])
        _run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", *WITHOUT_DEPENDENCIES])
        ready.touch()
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailure(f"The benchmark's peer did not install: {done.stderr.strip()}")


def _pipes(worker: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    if worker.stdin is None or worker.stdout is None:
        raise RuntimeError("the worker was started without pipes")
    return worker.stdin, worker.stdout
