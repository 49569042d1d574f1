"""What a bundled model costs: the time of an answer beside the bare run of its network, size, and opening."""

import time
from dataclasses import dataclass
from statistics import median
from typing import Any

from vigil.inference.network.check import example_input
from vigil.inference.network.model import NetworkModel
from vigil.inference.release import Release
from vigil.inference.session import open_graph
from vigil.inference.types import ignore_stage

RUNS = 15


@dataclass(frozen=True, slots=True)
class ModelCost:
    """latency_ms is of the whole path, bare_ms of the runs of the graph within it, for one example input."""

    latency_ms: float
    bare_ms: float
    size_mb: float
    opening_ms: float

    @property
    def floor_ratio(self) -> float:
        return self.latency_ms / self.bare_ms


class _TimedRuntime:
    """A session of onnxruntime that adds up the time of its runs."""

    def __init__(self, runtime: Any) -> None:
        self._runtime, self.total_s = runtime, 0.0

    def run(self, *arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return self._runtime.run(*arguments)
        finally:
            self.total_s += time.perf_counter() - started


def measure_cost(release: Release, model: NetworkModel) -> ModelCost:
    """Medians; both times are of the same runs, so that a busy machine slows both."""
    data, graph = example_input(model.card.input), model._graph
    started = time.perf_counter()
    open_graph(release, model.card.network)
    opening_s = time.perf_counter() - started
    timed = graph._runtime = _TimedRuntime(graph._runtime)
    runs = [_time_answer(model, data, timed) for _ in range(RUNS)]
    latency_ms, bare_ms = (1000 * median(times) for times in zip(*runs[1:], strict=True))
    size = sum(release.file_path(name).stat().st_size for name in release.digests)
    return ModelCost(latency_ms, bare_ms, size / 1e6, 1000 * opening_s)


def _time_answer(model: NetworkModel, data: bytes, timed: _TimedRuntime) -> tuple[float, float]:
    """Seconds of the whole answer and of the runs within it."""
    timed.total_s = 0.0
    started = time.perf_counter()
    model.predict(data, {}, ignore_stage)
    return time.perf_counter() - started, timed.total_s
