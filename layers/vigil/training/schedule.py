"""Decides when a model is trained again without an order, from the times of its new labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class RetrainingPolicy:
    """When a training is due.

    min_labels               labels since the last training
    min_labels_when_overdue  labels that are enough if the last training is older than `max_model_age`
    quiet_period             time without a further label, so that a labelling session is not divided
    max_wait                 longest wait of the first label if labels keep arriving
    """

    min_labels: int = 200
    min_labels_when_overdue: int = 20
    max_model_age: timedelta = timedelta(days=30)
    quiet_period: timedelta = timedelta(minutes=5)
    max_wait: timedelta = timedelta(hours=1)


def is_due(
    label_times: Sequence[datetime], policy: RetrainingPolicy, now: datetime, *, last_trained_at: datetime
) -> bool:
    """Whether a training is due; `label_times` are of the labels since the last training."""
    if len(label_times) < (
        policy.min_labels_when_overdue if now - last_trained_at >= policy.max_model_age else policy.min_labels
    ):
        return False
    return now - max(label_times) >= policy.quiet_period or now - min(label_times) >= policy.max_wait
