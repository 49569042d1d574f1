"""A crowd in one photo: of all alerts, as many as are kept at once with it, the most severe first."""

from collections.abc import Mapping, Sequence

from vigil.learn.consent import people_in
from vigil.seeing import Option, Scene
from vigil.watch.alerts import Alert
from vigil.watch.rules import SEVERITIES

MOST = 100
"""What DynamoDB writes or checks in one transaction."""

ALWAYS = 3
"""Of it, the drop's end, and the strangers of a window with their place in a list."""

LEFT_OUT = "alerts_left_out"
"""Under which a drop's notes say how many alerts it did not raise."""


def room(scene: Scene) -> int:
    """Alerts that fit beside a scene's sightings and the check that nobody in it is being erased."""
    people = people_in(one.label for one in scene.sightings)
    return max(0, MOST - ALWAYS - len(scene.sightings) - len(people))


def foremost(alerts: Sequence[Alert], scene: Scene, drop: str) -> tuple[Alert, ...]:
    """As many as there is room for. Among equals the drop's id decides: another frame raises others."""
    if len(alerts) <= room(scene):
        return tuple(alerts)
    turn = int(drop, 16) % len(alerts)
    turned = [*alerts[turn:], *alerts[:turn]]
    return tuple(sorted(turned, key=lambda one: SEVERITIES.index(one.severity), reverse=True)[: room(scene)])


def noted(scene: Scene, left_out: int) -> Mapping[str, Option]:
    """The scene's notes, which say so where alerts were left out."""
    return {**scene.notes, LEFT_OUT: left_out} if left_out else scene.notes
