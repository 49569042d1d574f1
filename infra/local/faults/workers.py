"""A worker's own copy of its layers, in which one bit of one file fell over."""

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
from infra.local.threads import Timer


def corrupt_file_copy(opt: Path, relative_path: str, into: Path) -> Path:
    """A folder like the one that plays /opt, made of links; only `inside` (models/eye/eye.onnx) is its own.

    The file keeps its length: nothing but its content says that it is not what it was.
    """
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


# MERGED: What befalls workers: in the middle of an event they stop for good or take too much memory; from
#   their / start on their clock is off, or a file of theirs is damaged.

_MAX_DELAY_S = 0.5
"""A mishap comes so soon after the event was handed out."""


class WorkerFaults:
    """Decides for each invocation whether something befalls its worker, and when."""

    def __init__(self, fault_injector: FaultInjector, timer: Timer) -> None:
        self._fault_injector = fault_injector
        self._timer = timer

    def inject(self, worker: Worker, request_id: str) -> None:
        """An event is about to be handed out."""
        faults = self._fault_injector.faults
        if faults is None:
            return
        if self._fault_injector.inject("frozen", faults.freezes):
            self._schedule(lambda: self._apply_if_busy(worker, request_id, _freeze))
        elif self._fault_injector.inject("out of memory", faults.out_of_memory):
            self._schedule(lambda: self._apply_if_busy(worker, request_id, _exceed_memory))

    def draw_clock_skew_s(self) -> float:
        """How far a new worker's clock is off."""
        faults = self._fault_injector.faults
        if faults is None or not faults.max_clock_skew_s:
            return 0.0
        self._fault_injector.record("clock off")
        return (2 * self._fault_injector.random.draw("skew") - 1) * faults.max_clock_skew_s

    def prepare_function(self, spec: FunctionSpec, worker_folder: Path) -> FunctionSpec:
        """The function as a new worker finds it, its layers whole or not; `own` is a folder of its own."""
        corrupt = self._fault_injector.faults.corrupt_files if self._fault_injector.faults else {}
        for file, rate in corrupt.items():
            if (spec.opt_folder / file).is_file() and self._fault_injector.inject("file corrupt", rate):
                return replace(
                    spec, opt_folder=corrupt_file_copy(spec.opt_folder, file, worker_folder / "opt")
                )
        return spec

    def _schedule(self, work: Callable[[], None]) -> None:
        self._timer.call_later(_MAX_DELAY_S * self._fault_injector.random.draw("mishap"), work)

    def _apply_if_busy(self, worker: Worker, request_id: str, fault: Callable[[Worker], None]) -> None:
        if worker.request_id == request_id and worker.state == "busy":
            fault(worker)


def _freeze(worker: Worker) -> None:
    """It stands still until its time is up."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker.process.pid, signal.SIGSTOP)


def _exceed_memory(worker: Worker) -> None:
    worker.out_of_memory = True
    worker.kill_process()
