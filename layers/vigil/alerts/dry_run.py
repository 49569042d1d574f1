"""What rules would have raised for stored sightings, by the evaluation of the lanes."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from vigil.alerts.alert import create_alert
from vigil.alerts.evaluate import match_rules
from vigil.alerts.rules import RuleSet
from vigil.drops.messages import CANARY_CHECK_SOURCE, CANARY_SOURCE, Drop
from vigil.inference.types import Prediction


@dataclass(slots=True)
class RuleCount:
    """What one rule selects.

    min_alerts, max_alerts  ids of the alerts if all unknown faces of a source and window are of one person,
                            and if each is of another one: stored sightings have no vectors to tell
    """

    sightings: int = 0
    min_alerts: set[str] = field(default_factory=set)
    max_alerts: set[str] = field(default_factory=set)


def count_alerts(stored: Iterable[tuple[Drop, Prediction]], rule_set: RuleSet) -> dict[str, RuleCount]:
    """By rule, for drops with their sightings; canary probes raise nothing.

    Dismissed alerts, which suppress others, and the limit of alerts of one drop are not considered.
    """
    counts = {rule.name: RuleCount() for rule in rule_set.rules}
    for drop, prediction in stored:
        if drop.source in (CANARY_SOURCE, CANARY_CHECK_SOURCE):
            continue
        for rule, number, sighting in match_rules(prediction, drop, rule_set):
            count = counts[rule.name]
            count.sightings += 1
            alert = create_alert(rule, drop, number, subject=sighting.label, status=sighting.status)
            count.min_alerts.add(alert.id)
            if sighting.status == "unknown":
                other = f"unknown-{drop.id}-{number}"
                alert = create_alert(rule, drop, number, subject=other, status=sighting.status)
            count.max_alerts.add(alert.id)
    return counts
