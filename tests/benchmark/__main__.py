"""Run all benchmarks: print every ratio and write build/bench.json and build/bench.png."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from rich.table import Table

from infra.package.template import MB, measure_sizes
from tests.benchmark.api import measure_api
from tests.benchmark.cold_start import cold_start_over_bare
from tests.benchmark.faces import benchmark_environment, measure_faces
from tests.benchmark.plot import draw_benchmark
from tests.benchmark.throughput import local_photos_per_second
from tests.benchmark.training import measure_training
from tests.cost.measure import measure_cost
from vigil_cli.console import ProgressSteps, new_table, out
from vigil_cli.paths import BUILD, PACKAGE

TARGETS: dict[str, tuple[str, float]] = {
    "photo_over_floor": ("at most", 1.3),
    "times_faster_than_face_recognition": ("at least", 15.0),
    "faces_right_at_fpir_1": ("at least", 0.945),
    "faces_wrong": ("at most", 0.002),
    "strangers_named": ("at most", 0.012),
    "cold_start_over_bare": ("at most", 1.5),
    "search_over_numpy": ("at most", 1.1),
    "search_over_numpy.100000": ("at most", 0.3),
    "route_over_bare": ("at most", 1.5),
    "usd_per_million_photos.requests": ("at most", 15.0),
}


def measure_all(steps: ProgressSteps) -> dict[str, Any]:
    """Return all figures by name."""
    steps.begin("faces: floor, numpy, face_recognition, photographs of people")
    figures = measure_faces()
    steps.begin("cold start")
    figures["cold_start_over_bare"] = round(cold_start_over_bare().ours_over_theirs, 3)
    steps.begin("the local cloud, one and two workers")
    figures["local_photos_per_second"] = {str(n): round(local_photos_per_second(n), 1) for n in (1, 2)}
    steps.begin("the API, at peace and in a flood")
    measured = measure_api()
    figures["details"]["api"] = measured.pop("details")
    figures |= measured
    steps.begin("what a photo uses of AWS, and what it costs")
    measured = measure_cost()
    figures["details"] |= measured.pop("details")
    figures |= measured
    steps.begin("training: the reference classifier, an embedding")
    measured = measure_training()
    figures["details"] |= measured.pop("details")
    figures |= measured
    function_sizes = measure_sizes(json.loads((PACKAGE / "sam.json").read_text()), PACKAGE)
    layers = {name: size for weight in function_sizes for name, size in weight.layers.items()}
    totals = {weight.function: weight.total_bytes for weight in function_sizes}
    figures["unzipped_mb"] = {name: round(size / MB, 1) for name, size in (layers | totals).items()}
    return figures


def flatten(figures: dict[str, Any]) -> dict[str, float]:
    """Return the figures by dotted name, without `details`."""
    rows: dict[str, float] = {}
    for name, value in figures.items():
        if name != "details":
            entries = value.items() if isinstance(value, dict) else [("", value)]
            rows |= {f"{name}.{part}" if part else name: float(number) for part, number in entries}
    return rows


def target_status(name: str, value: float) -> str:
    """Return whether the figure meets its target; an empty string if it has none."""
    target = TARGETS.get(name) or TARGETS.get(name.split(".", maxsplit=1)[0])
    if target is None:
        return ""
    relation, bound = target
    compare: Callable[[float, float], bool] = float.__le__ if relation == "at most" else float.__ge__
    return f"{relation} {bound:g}: {'met' if compare(value, bound) else 'NOT met'}"


def _reads_table(reads: dict[str, dict[str, float]]) -> Table:
    """Table of the API's reads, compared with the bare round trip and with their AWS calls alone."""
    output = new_table("Reads", "route", ">calls", ">ms", ">over bare", ">over bare and calls")
    for name, one in reads.items():
        output.add_row(name, *(f"{one[what]:g}" for what in ("calls", "ms", "over_bare", "over_floor")))
    return output


def main() -> int:
    """Run in a new process with one numpy thread, because numpy reads that setting at import."""
    if dict(os.environ) != benchmark_environment():
        command = [sys.executable, "-m", "tests.benchmark"]
        return subprocess.run(command, env=benchmark_environment(), check=False).returncode
    with ProgressSteps() as steps:
        figures = measure_all(steps)
    (BUILD / "bench.json").write_text(json.dumps(figures, indent=1) + "\n")
    output = new_table("Measured", "figure", ">value", "target")
    for name, value in flatten(figures).items():
        output.add_row(name, f"{value:g}", target_status(name, value))
    out.print(output)
    out.print(_reads_table(figures["details"]["api"]["reads"]))
    draw_benchmark(figures, TARGETS, BUILD / "bench.png")
    out.print(f"\n{BUILD.name}/bench.json, {BUILD.name}/bench.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
