"""When a model is taught anew though nobody ordered it: enough was labelled and it is over, or time is up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class RetrainingPolicy:
    """What it takes.

    labels   given or changed since the last lesson
    few      that are enough once the last lesson was `every` so long ago
    calm     without a further one: a lesson from half of what a person is about to say is a lesson too many
    longest  that the first of them waits, where labels never stop coming
    """

    min_labels: int = 200
    min_labels_when_overdue: int = 20
    max_model_age: timedelta = timedelta(days=30)
    quiet_period: timedelta = timedelta(minutes=5)
    max_wait: timedelta = timedelta(hours=1)


def is_due(
    label_times: Sequence[datetime], policy: RetrainingPolicy, now: datetime, *, last_trained_at: datetime
) -> bool:
    """Whether a lesson is due, by when each label since the last one, at `taught`, was given."""
    if len(label_times) < (
        policy.min_labels_when_overdue if now - last_trained_at >= policy.max_model_age else policy.min_labels
    ):
        return False
    return now - max(label_times) >= policy.quiet_period or now - min(label_times) >= policy.max_wait
