"""When a model is taught anew though nobody ordered it: enough was labelled, and that is over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Occasion:
    """What it takes.

    labels   given or changed since the last lesson
    calm     without a further one: a lesson from half of what a person is about to say is a lesson too many
    longest  that the first of them waits, where labels never stop coming
    """

    labels: int = 200
    calm: timedelta = timedelta(minutes=5)
    longest: timedelta = timedelta(hours=1)


def due(labelled: Sequence[datetime], occasion: Occasion, now: datetime) -> bool:
    """Whether a lesson is due, by when each label since the last one was given."""
    if len(labelled) < occasion.labels:
        return False
    return now - max(labelled) >= occasion.calm or now - min(labelled) >= occasion.longest
