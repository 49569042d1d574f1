"""Benchmark of the faces model against its lower bound, numpy and face_recognition."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from tests.benchmark.baseline_face_recognition import compare_with_baseline
from tests.benchmark.lower_bound import photo_over_floor
from tests.benchmark.recognition import measure_recognition
from tests.benchmark.search import search_over_numpy
from vigil.faces.recognizer import FaceRecognizer
from vigil_cli.offline import load_models

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def benchmark_environment() -> dict[str, str]:
    """The environment of this process with one numpy thread and without settings of OpenBLAS.

    OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE, which some machines set, make numpy up to twice as slow.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    return inherited | ONE_THREAD


def measure_faces() -> dict[str, Any]:
    """Return ratios by their names in build/bench.json, and the measured values under `details`."""
    models = load_models()
    model = models.get("faces")
    if not isinstance(model, FaceRecognizer):
        raise TypeError("models/faces must be of kind faces")
    floor = photo_over_floor(models)
    search = search_over_numpy()
    comparison = compare_with_baseline(model)
    return {
        "photo_over_floor": round(floor.ours_over_theirs, 3),
        "search_over_numpy": {size: round(one.ours_over_theirs, 3) for size, one in search.items()},
        "times_faster_than_face_recognition": round(comparison.times_faster, 1),
        **measure_recognition(model),
        "details": {
            "photo_over_floor": asdict(floor),
            "search_over_numpy": {size: asdict(one) for size, one in search.items()},
            "times_faster_than_face_recognition": asdict(comparison),
        },
    }


def main() -> int:
    """Run in a new process with one numpy thread, because numpy reads that setting at import."""
    if dict(os.environ) != benchmark_environment():
        command = [sys.executable, "-m", "tests.benchmark.faces"]
        return subprocess.run(command, env=benchmark_environment(), check=False).returncode
    sys.stdout.write(json.dumps(measure_faces(), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
