"""Everything that can go wrong, all at once."""

from __future__ import annotations

from infra.chaos.crowd import POISON
from infra.local.faults import Faults

MODEL_FILE = "models/face-embed/model.onnx"
"""A bit of it falls over in some of the workers that start: what they would see is wrong, and looks right."""


_RATES = {"dynamodb": 0.03, "s3": 0.03, "sqs": 0.02, "sns": 0.05, "lambda": 0.03, "cloudwatch": 0.03}


def storm(seed: int, people: str) -> Faults:
    """The faults of one storm; `people` is the table of which old rows are read."""
    return Faults(
        seed=seed,
        throttles=_RATES,
        errors=_RATES,
        silences={"dynamodb": 0.005, "s3": 0.005, "sns": 0.01},
        kills=0.015,
        poison=POISON,
        freezes=0.01,
        out_of_memory=0.01,
        skew_s=1.0,
        corrupt={MODEL_FILE: 0.15},
        lost=0.08,
        doubled=0.08,
        delayed=0.1,
        delay_s=3.0,
        reordered=0.15,
        redelivered=0.05,
        stale={people: 0.2},
    )


def only_poison(seed: int) -> Faults:
    """After the storm: the world is well, and bad files are as bad as before."""
    return Faults(seed=seed, poison=POISON)
