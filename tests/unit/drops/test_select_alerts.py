"""A crowd that raises more alerts than one save can hold."""

from tests.fakes.memory import NOON
from vigil.alerts.alert import Alert, create_alert
from vigil.alerts.rules import parse_rules
from vigil.drops.messages import Drop, InlinePayload
from vigil.drops.process import select_alerts, with_omitted_count
from vigil.inference.types import Prediction, Sighting

DROP = Drop("0f", "faces", "vault", InlinePayload(b""), NOON)
RULES = parse_rules(
    """
    [[rules]]
    name = "seen"
    severity = "info"
    when = { status = ["known"] }
    [[rules]]
    name = "watched"
    severity = "critical"
    when = { tags = ["watch"] }
    """
).rules
CROWD = Prediction(
    tuple(Sighting(f"p-{n:012x}", "known", 0.8, tags=frozenset({"watch"})) for n in range(40)), found=40
)

CAPACITY = 17
"""The alerts that the ledger saves with CROWD."""


def alerts() -> list[Alert]:
    return [
        create_alert(rule, DROP, number, subject=sighting.label, status=sighting.status)
        for number, sighting in enumerate(CROWD.sightings)
        for rule in RULES
    ]


def test_alerts_within_the_capacity_are_all_raised():
    few = alerts()[:5]

    assert select_alerts(few, CAPACITY, "0f") == tuple(few)
    assert with_omitted_count(CROWD, 0) == {}


def test_the_most_severe_alerts_are_raised_and_the_omitted_ones_are_counted():
    selected = select_alerts(alerts(), CAPACITY, "0f")

    assert len(selected) == CAPACITY
    assert {one.severity for one in selected} == {"critical"}
    assert with_omitted_count(CROWD, 80 - len(selected)) == {"alerts_omitted": 63}


def test_the_frames_of_one_crowd_raise_alerts_of_everybody_in_it():
    raised = {
        one.subject for frame in range(80) for one in select_alerts(alerts(), CAPACITY, f"{frame:032x}")
    }

    assert len(raised) == 40
