"""Everything that can go wrong, all at once."""

from __future__ import annotations

from infra.local.faults.model import Faults
from tests.chaos.workload import POISON

MODEL_FILE = "models/face-embed/model.onnx"
"""A bit of it falls over in some of the workers that start: what they would see is wrong, and looks right."""


_ERROR_RATES = {"dynamodb": 0.03, "s3": 0.03, "sqs": 0.02, "sns": 0.05, "lambda": 0.03, "cloudwatch": 0.03}


def all_faults(seed: int, people_table: str) -> Faults:
    """The faults of one storm; `people` is the table of which old rows are read."""
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
    """After the storm: the world is well, and bad files are as bad as before."""
    return Faults(seed=seed, poison=POISON)
