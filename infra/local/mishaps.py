"""What befalls workers: in the middle of an event they stop for good or take too much memory; from their
start on their clock is off, or a file of theirs is damaged."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from infra.local.alarm_clock import AlarmClock
from infra.local.damage import damaged
from infra.local.faults import Trouble
from infra.local.sandbox import FunctionSpec
from infra.local.worker import Worker

_WITHIN_S = 0.5
"""A mishap comes so soon after the event was handed out."""


class Mishaps:
    """Decides for each invocation whether something befalls its worker, and when."""

    def __init__(self, trouble: Trouble, clock: AlarmClock) -> None:
        self._trouble = trouble
        self._clock = clock

    def befall(self, worker: Worker, request_id: str) -> None:
        """An event is about to be handed out."""
        faults = self._trouble.faults
        if faults is None:
            return
        if self._trouble.happens("frozen", faults.freezes):
            self._later(lambda: self._if_still_at(worker, request_id, _freeze))
        elif self._trouble.happens("out of memory", faults.out_of_memory):
            self._later(lambda: self._if_still_at(worker, request_id, _exhaust))

    def skew_s(self) -> float:
        """How far a new worker's clock is off."""
        faults = self._trouble.faults
        if faults is None or not faults.skew_s:
            return 0.0
        self._trouble.count("clock off")
        return (2 * self._trouble.dice.roll("skew") - 1) * faults.skew_s

    def equipped(self, spec: FunctionSpec, own: Path) -> FunctionSpec:
        """The function as a new worker finds it, its layers whole or not; `own` is a folder of its own."""
        corrupt = self._trouble.faults.corrupt if self._trouble.faults else {}
        for file, rate in corrupt.items():
            if (spec.opt / file).is_file() and self._trouble.happens("file corrupt", rate):
                return replace(spec, opt=damaged(spec.opt, file, own / "opt"))
        return spec

    def _later(self, work: Callable[[], None]) -> None:
        self._clock.after(_WITHIN_S * self._trouble.dice.roll("mishap"), work)

    def _if_still_at(self, worker: Worker, request_id: str, befall: Callable[[Worker], None]) -> None:
        if worker.request_id == request_id and worker.state == "busy":
            befall(worker)


def _freeze(worker: Worker) -> None:
    """It stands still until its time is up."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker.process.pid, signal.SIGSTOP)


def _exhaust(worker: Worker) -> None:
    worker.out_of_memory = True
    worker.strike()
