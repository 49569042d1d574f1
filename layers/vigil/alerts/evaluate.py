"""Evaluation of the rules on a prediction: which sightings raise alerts, and about which subjects."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vigil.alerts.alert import Alert, create_alert, drop_window
from vigil.alerts.rules import Rule, RuleSet
from vigil.drops.messages import Drop
from vigil.inference.types import Prediction, Sighting, is_rule_fulfilled

if TYPE_CHECKING:  # the API evaluates rules without numpy
    from vigil.alerts.unknown_subjects import UnknownSubjects

UnknownSubjectLookup = Callable[[str, str], "UnknownSubjects"]
"""(source, window) -> the unknown subjects so far; a window's name ends with the embedding space."""


def evaluate_rules(
    prediction: Prediction, drop: Drop, rule_set: RuleSet, lookup: UnknownSubjectLookup
) -> tuple[tuple[Alert, ...], UnknownSubjects | None]:
    """The alerts of a drop, each once, and the unknown subjects of its window if they were looked up.

    They are looked up only if a rule matches an unknown sighting with a vector. The window is the longest
    one of all rules, so that one row serves all rules. All vectors of a prediction are of one embedding
    space; each space has a row of its own.
    """
    matches = match_rules(prediction, drop, rule_set)
    unknown = _find_unknown_subjects(matches, drop, rule_set, lookup)
    alerts: dict[str, Alert] = {}
    subjects: dict[int, str] = {}
    for rule, number, sighting in matches:
        if number not in subjects:
            subjects[number], unknown = _resolve_subject(sighting, f"{drop.id[:16]}-{number}", unknown)
        raised = create_alert(rule, drop, number, subject=subjects[number], status=sighting.status)
        alerts.setdefault(raised.id, raised)
    return tuple(alerts.values()), unknown


def match_rules(prediction: Prediction, drop: Drop, rule_set: RuleSet) -> list[tuple[Rule, int, Sighting]]:
    """(rule, number of the sighting, sighting) of each match, in the order of sightings and rules.

    Rules of the model's card have the model's name in front of theirs.
    """
    source = rule_set.source_settings(drop.source)
    matches = [
        (rule, number, sighting)
        for number, sighting in enumerate(prediction.sightings)
        for rule in rule_set.rules
        if rule.matches(sighting, model=drop.model, source=source, at=drop.occurred_at)
    ]
    return matches + [
        (Rule(f"{drop.model}/{rule.name}"[:100], rule.severity), number, sighting)
        for number, sighting in enumerate(prediction.sightings)
        for rule in prediction.rules
        if is_rule_fulfilled(rule, sighting)
    ]


def _find_unknown_subjects(
    matches: list[tuple[Rule, int, Sighting]], drop: Drop, rule_set: RuleSet, lookup: UnknownSubjectLookup
) -> UnknownSubjects | None:
    first_unknown = next((sighting for _, _, sighting in matches if _is_comparable_unknown(sighting)), None)
    if first_unknown is None:
        return None
    window = drop_window(drop, max(one.window_s for one in (*rule_set.rules, matches[0][0])))
    return lookup(
        drop.source, f"{window}#{first_unknown.embedding_space}" if first_unknown.embedding_space else window
    )


def _resolve_subject(
    sighting: Sighting, new_id: str, unknown: UnknownSubjects | None
) -> tuple[str, UnknownSubjects | None]:
    if unknown is None or not _is_comparable_unknown(sighting) or sighting.vector is None:
        return sighting.label, unknown
    from vigil.alerts.unknown_subjects import assign_subject  # noqa: PLC0415 - loads numpy

    threshold = sighting.same_subject_threshold
    return assign_subject(
        unknown,
        sighting.vector,
        same_subject_threshold=1.0 if threshold is None else threshold,
        new_id=f"unknown-{new_id}",
    )


def _is_comparable_unknown(sighting: Sighting) -> bool:
    return sighting.status == "unknown" and sighting.vector is not None
