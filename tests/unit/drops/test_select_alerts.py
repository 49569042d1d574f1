"""A crowd that raises more alerts than one transaction holds."""

from tests.fakes.memory import NOON
from vigil.alerts.alert import Alert, create_alert
from vigil.alerts.rules import parse_rules
from vigil.drops.messages import Drop, InlinePayload
from vigil.drops.process import alert_capacity, select_alerts, with_omitted_count
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


def alerts() -> list[Alert]:
    return [
        create_alert(rule, DROP, number, subject=seen.label, status=seen.status)
        for number, seen in enumerate(CROWD.sightings)
        for rule in RULES
    ]


def test_few_alerts_are_raised_as_they_are():
    few = alerts()[:5]

    assert select_alerts(few, CROWD, "0f") == tuple(few)
    assert with_omitted_count(CROWD, 0) == {}


def test_the_most_severe_are_raised_and_the_drop_says_how_many_were_not():
    kept = select_alerts(alerts(), CROWD, "0f")

    assert len(kept) == alert_capacity(CROWD) == 17
    assert {one.severity for one in kept} == {"critical"}
    assert with_omitted_count(CROWD, 80 - len(kept)) == {"alerts_omitted": 63}


def test_frames_of_one_crowd_raise_alerts_of_all_of_it_in_time():
    raised = {one.subject for frame in range(80) for one in select_alerts(alerts(), CROWD, f"{frame:032x}")}

    assert len(raised) == 40
