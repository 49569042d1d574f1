"""When a model is taught anew though nobody ordered it: enough was labelled and it is over, or time is up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Occasion:
    """What it takes.

    labels   given or changed since the last lesson
    few      that are enough once the last lesson was `every` so long ago
    calm     without a further one: a lesson from half of what a person is about to say is a lesson too many
    longest  that the first of them waits, where labels never stop coming
    """

    labels: int = 200
    few: int = 20
    every: timedelta = timedelta(days=30)
    calm: timedelta = timedelta(minutes=5)
    longest: timedelta = timedelta(hours=1)


def due(labelled: Sequence[datetime], occasion: Occasion, now: datetime, *, taught: datetime) -> bool:
    """Whether a lesson is due, by when each label since the last one, at `taught`, was given."""
    if len(labelled) < (occasion.few if now - taught >= occasion.every else occasion.labels):
        return False
    return now - max(labelled) >= occasion.calm or now - min(labelled) >= occasion.longest
