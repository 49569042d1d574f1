"""Faults of workers: freezing, exceeding memory, a skewed clock, a damaged file in a layer."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from infra.local.faults.model import FaultInjector
from infra.local.lambda_.sandbox import FunctionSpec
from infra.local.lambda_.worker import Worker
from infra.local.process import Timer

_MAX_DELAY_S = 0.5
"""The fault happens within this time after the worker received its event."""


def corrupt_file_copy(opt: Path, relative_path: str, into: Path) -> Path:
    """Copy the layers' folder as links, except one file in which one bit is flipped."""
    *folders, name = Path(relative_path).parts
    source, target = opt, into
    for folder in folders:
        _link_children(source, target, except_name=folder)
        source, target = source / folder, target / folder
    _link_children(source, target, except_name=name)
    data = bytearray((opt / relative_path).read_bytes())
    data[len(data) // 2] ^= 1
    (into / relative_path).write_bytes(data)
    return into


def _link_children(source: Path, folder: Path, *, except_name: str) -> None:
    folder.mkdir(parents=True)
    for child in source.iterdir():
        if child.name != except_name:
            (folder / child.name).symlink_to(child.resolve())


class WorkerFaults:
    """Decides which faults a worker has, and when."""

    def __init__(self, fault_injector: FaultInjector, timer: Timer) -> None:
        self._fault_injector = fault_injector
        self._timer = timer

    def inject(self, worker: Worker, request_id: str) -> None:
        """Inject a fault into the next invocation of a worker, if one occurs."""
        faults = self._fault_injector.faults
        if faults is None:
            return
        if self._fault_injector.inject("frozen", faults.freezes):
            self._schedule(lambda: self._apply_if_busy(worker, request_id, _freeze))
        elif self._fault_injector.inject("out of memory", faults.out_of_memory):
            self._schedule(lambda: self._apply_if_busy(worker, request_id, _exceed_memory))

    def draw_clock_skew_s(self) -> float:
        """Return the offset of a new worker's clock."""
        faults = self._fault_injector.faults
        if faults is None or not faults.max_clock_skew_s:
            return 0.0
        self._fault_injector.record("clock off")
        return (2 * self._fault_injector.random.draw("skew") - 1) * faults.max_clock_skew_s

    def prepare_function(self, spec: FunctionSpec, worker_folder: Path) -> FunctionSpec:
        """Return the function for a new worker; a damaged layer is copied to the worker's folder."""
        corrupt = self._fault_injector.faults.corrupt_files if self._fault_injector.faults else {}
        for file, rate in corrupt.items():
            if (spec.opt_folder / file).is_file() and self._fault_injector.inject("file corrupt", rate):
                return replace(
                    spec, opt_folder=corrupt_file_copy(spec.opt_folder, file, worker_folder / "opt")
                )
        return spec

    def _schedule(self, work: Callable[[], None]) -> None:
        self._timer.call_later(_MAX_DELAY_S * self._fault_injector.random.draw("worker fault"), work)

    def _apply_if_busy(self, worker: Worker, request_id: str, fault: Callable[[Worker], None]) -> None:
        if worker.request_id == request_id and worker.state == "busy":
            fault(worker)


def _freeze(worker: Worker) -> None:
    """Stop the process until its timeout."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker.process.pid, signal.SIGSTOP)


def _exceed_memory(worker: Worker) -> None:
    worker.out_of_memory = True
    worker.kill_process()
