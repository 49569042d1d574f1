"""Decides what may be used for training, by the source's policy and the consent of the people shown."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from vigil.inference.types import Sighting

if TYPE_CHECKING:  # labels are read by functions that do not read rules
    from vigil.alerts.rules import ConsentPolicy

TRAINING_CONSENT_TAG = "learn"
"""The tag of people who consented to training."""

_PERSON_ID = re.compile(r"p-[0-9a-f]{12}")


def is_person_id(label: str) -> bool:
    """Whether a label is the id of a person and not the name of a class."""
    return bool(_PERSON_ID.fullmatch(label))


def person_ids_in(labels: Iterable[str]) -> tuple[str, ...]:
    """The ids of people among labels, each once, sorted."""
    return tuple(sorted({label for label in labels if is_person_id(label)}))


def is_training_allowed(
    policy: "ConsentPolicy",
    sightings: Sequence[Sighting],
    people: Sequence[str],
    has_consented: Callable[[str], bool],
) -> bool:
    """Whether a drop with these sightings and people may be used for training.

    has_consented  whether a person consented
    """
    if policy == "never" or not all(map(has_consented, people)):
        return False
    if policy == "always":
        return True
    return bool(people) and all(is_person_id(one.label) for one in sightings)
