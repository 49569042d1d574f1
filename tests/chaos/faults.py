"""The faults that are injected at the same time."""

from __future__ import annotations

from infra.local.faults.model import Faults
from tests.chaos.workload import POISON

MODEL_FILE = "models/face-embed/model.onnx"
"""One bit of this file is flipped in some workers, so that their results would be wrong but plausible."""


_ERROR_RATES = {"dynamodb": 0.03, "s3": 0.03, "sqs": 0.02, "sns": 0.05, "lambda": 0.03, "cloudwatch": 0.03}


def all_faults(seed: int, people_table: str) -> Faults:
    """Return all faults; reads of `people_table` may be stale."""
    return Faults(
        seed=seed,
        throttles=_ERROR_RATES,
        errors=_ERROR_RATES,
        hangs={"dynamodb": 0.005, "s3": 0.005, "sns": 0.01},
        kills=0.015,
        poison=POISON,
        freezes=0.01,
        out_of_memory=0.01,
        max_clock_skew_s=1.0,
        corrupt_files={MODEL_FILE: 0.15},
        lost_notifications=0.08,
        duplicate_notifications=0.08,
        delayed_messages=0.1,
        max_delay_s=3.0,
        reordered_messages=0.15,
        redelivered_messages=0.05,
        stale_reads={people_table: 0.2},
    )


def only_poison(seed: int) -> Faults:
    """Return the faults after the fault window: only poison inputs still end their workers."""
    return Faults(seed=seed, poison=POISON)
