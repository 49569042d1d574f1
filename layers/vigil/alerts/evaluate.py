"""A scene under the rules: which sightings are alerts, and whose."""

from collections.abc import Callable

from vigil.alerts.alert import Alert, create_alert, window_start
from vigil.alerts.rules import Rule, RuleSet, Source
from vigil.alerts.unknown_subjects import UnknownSubjects, assign_subject
from vigil.drops.messages import Drop
from vigil.inference.types import Prediction, Sighting

CANARY_SOURCE = "canary"
"""The source by which the system watches itself: what is seen there is recorded, and alarms nobody."""

UnknownSubjectLookup = Callable[[str, str], UnknownSubjects]
"""(source, window) -> the strangers seen there so far; a window's name ends with their vectors' space."""


def evaluate_rules(
    prediction: Prediction, drop: Drop, rule_set: RuleSet, lookup: UnknownSubjectLookup
) -> tuple[tuple[Alert, ...], UnknownSubjects | None]:
    """The alerts that a drop's sightings raise; one drop raises each alert once.

    Strangers are recalled only where a rule picks one that carries a vector, by the longest window
    of all rules, so that one row serves them all. All vectors of a scene are of one release, and so of
    one space; another release's strangers stand in a row of their own.
    """
    if drop.source == CANARY_SOURCE:
        return (), None
    source = rule_set.source_settings(drop.source)
    matches = _matching_rules(prediction, drop, source, rule_set)
    unknown = _find_unknown_subjects(matches, drop, rule_set, lookup)
    alerts: dict[str, Alert] = {}
    subjects: dict[int, str] = {}
    for rule, number, sighting in matches:
        if number not in subjects:
            subjects[number], unknown = _resolve_subject(sighting, f"{drop.id[:16]}-{number}", unknown)
        raised = create_alert(rule, drop, number, subject=subjects[number], status=sighting.status)
        alerts.setdefault(raised.id, raised)
    return tuple(alerts.values()), unknown


def _matching_rules(
    prediction: Prediction, drop: Drop, source: Source, rule_set: RuleSet
) -> list[tuple[Rule, int, Sighting]]:
    return [
        (rule, number, sighting)
        for number, sighting in enumerate(prediction.sightings)
        for rule in rule_set.rules
        if rule.matches(sighting, model=drop.model, source=source, at=drop.occurred_at)
    ]


def _find_unknown_subjects(
    matches: list[tuple[Rule, int, Sighting]], drop: Drop, rule_set: RuleSet, lookup: UnknownSubjectLookup
) -> UnknownSubjects | None:
    first_unknown = next((sighting for _, _, sighting in matches if _is_comparable_unknown(sighting)), None)
    if first_unknown is None:
        return None
    window = window_start(drop.occurred_at, max(rule.window_s for rule in rule_set.rules))
    return lookup(
        drop.source, f"{window}#{first_unknown.embedding_space}" if first_unknown.embedding_space else window
    )


def _resolve_subject(
    sighting: Sighting, new_id: str, unknown: UnknownSubjects | None
) -> tuple[str, UnknownSubjects | None]:
    if unknown is None or not _is_comparable_unknown(sighting) or sighting.vector is None:
        return sighting.label, unknown
    same_as = sighting.same_subject_threshold if sighting.same_subject_threshold is not None else 1.0
    return assign_subject(
        unknown, sighting.vector, same_subject_threshold=same_as, new_id=f"unknown-{new_id}"
    )


def _is_comparable_unknown(sighting: Sighting) -> bool:
    return sighting.status == "unknown" and sighting.vector is not None
