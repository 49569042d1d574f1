"""A crowd that raises more alerts than one transaction holds."""

from tests.memory import NOON
from vigil.drops import Drop, Inline
from vigil.flow.foremost import foremost, noted, room
from vigil.seeing import Scene, Sighting
from vigil.watch.alerts import Alert, alert
from vigil.watch.rules import read_watch

DROP = Drop("0f", "faces", "vault", Inline(b""), NOON)
RULES = read_watch(
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
CROWD = Scene(
    tuple(Sighting(f"p-{n:012x}", "known", 0.8, tags=frozenset({"watch"})) for n in range(40)), found=40
)


def alerts() -> list[Alert]:
    return [
        alert(rule, DROP, number, subject=seen.label, status=seen.status)
        for number, seen in enumerate(CROWD.sightings)
        for rule in RULES
    ]


def test_few_alerts_are_raised_as_they_are():
    few = alerts()[:5]

    assert foremost(few, CROWD, "0f") == tuple(few)
    assert noted(CROWD, 0) == {}


def test_the_most_severe_are_raised_and_the_drop_says_how_many_were_not():
    kept = foremost(alerts(), CROWD, "0f")

    assert len(kept) == room(CROWD) == 17
    assert {one.severity for one in kept} == {"critical"}
    assert noted(CROWD, 80 - len(kept)) == {"alerts_left_out": 63}


def test_frames_of_one_crowd_raise_alerts_of_all_of_it_in_time():
    raised = {one.subject for frame in range(80) for one in foremost(alerts(), CROWD, f"{frame:032x}")}

    assert len(raised) == 40
