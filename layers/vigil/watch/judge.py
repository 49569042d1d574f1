"""A scene under the rules: which sightings are alerts, and whose."""

from collections.abc import Callable

from vigil.drops import Drop
from vigil.seeing import Scene, Sighting
from vigil.watch.alerts import Alert, alert, window_of
from vigil.watch.rules import Rule, Source, Watch
from vigil.watch.strangers import Strangers, recognise

CANARY = "canary"
"""The source by which the system watches itself: what is seen there is recorded, and alarms nobody."""

Recall = Callable[[str, str], Strangers]
"""(source, window) -> the strangers seen there so far; a window's name ends with their vectors' space."""


def judge(
    scene: Scene, drop: Drop, watch: Watch, recall: Recall
) -> tuple[tuple[Alert, ...], Strangers | None]:
    """The alerts that a drop's sightings raise; one drop raises each alert once.

    Strangers are recalled only where a rule picks one that carries a vector, by the longest window
    of all rules, so that one row serves them all. All vectors of a scene are of one release, and so of
    one space; another release's strangers stand in a row of their own.
    """
    if drop.source == CANARY:
        return (), None
    source = watch.source(drop.source)
    picked = _picked(scene, drop, source, watch)
    strangers = _recalled(picked, drop, watch, recall)
    alerts: dict[str, Alert] = {}
    subjects: dict[int, str] = {}
    for rule, number, sighting in picked:
        if number not in subjects:
            subjects[number], strangers = _subject(sighting, f"{drop.id[:16]}-{number}", strangers)
        raised = alert(rule, drop, number, subject=subjects[number], status=sighting.status)
        alerts.setdefault(raised.id, raised)
    return tuple(alerts.values()), strangers


def _picked(scene: Scene, drop: Drop, source: Source, watch: Watch) -> list[tuple[Rule, int, Sighting]]:
    return [
        (rule, number, sighting)
        for number, sighting in enumerate(scene.sightings)
        for rule in watch.rules
        if rule.picks(sighting, model=drop.model, source=source, at=drop.at)
    ]


def _recalled(
    picked: list[tuple[Rule, int, Sighting]], drop: Drop, watch: Watch, recall: Recall
) -> Strangers | None:
    strange = next((sighting for _, _, sighting in picked if _is_stranger(sighting)), None)
    if strange is None:
        return None
    window = window_of(drop.at, max(rule.window_s for rule in watch.rules))
    return recall(drop.source, f"{window}#{strange.space}" if strange.space else window)


def _subject(sighting: Sighting, new_id: str, strangers: Strangers | None) -> tuple[str, Strangers | None]:
    if strangers is None or not _is_stranger(sighting) or sighting.vector is None:
        return sighting.label, strangers
    same_as = sighting.same_as if sighting.same_as is not None else 1.0
    return recognise(strangers, sighting.vector, same_as=same_as, new_id=f"stranger-{new_id}")


def _is_stranger(sighting: Sighting) -> bool:
    return sighting.status == "unknown" and sighting.vector is not None
