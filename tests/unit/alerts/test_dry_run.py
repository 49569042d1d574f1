"""The dry run and the lanes evaluate rules alike: what the lanes raise is within what the dry run states."""

from collections import Counter, defaultdict
from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.memory import NOON
from vigil.alerts.dry_run import count_alerts
from vigil.alerts.evaluate import evaluate_rules
from vigil.alerts.rules import parse_rules
from vigil.alerts.unknown_subjects import UnknownSubjects, no_subjects
from vigil.drops.messages import Drop, InlinePayload
from vigil.inference.types import Prediction, Sighting

RULES = parse_rules(
    """
    [sources."vault*"]
    area = "restricted"
    [[rules]]
    name = "watch-listed"
    when = { status = ["known"], tags = ["watch"] }
    [[rules]]
    name = "stranger"
    window_s = 60
    when = { status = ["unknown"], area = "restricted" }
    [[rules]]
    name = "anything"
    """
)
PEOPLE = {
    "ann": Sighting("ann", "known", 0.9, tags=frozenset({"watch"})),
    "bob": Sighting("bob", "known", 0.9),
    "unfit": Sighting("unfit", "unfit"),
}


def stranger(number: int) -> Sighting:
    vector = np.eye(8, dtype=np.float32)[number]
    return Sighting("unknown", "unknown", 0.1, vector=vector, same_subject_threshold=0.9)


def as_stored(sighting: Sighting) -> Sighting:
    """A stored sighting has no vector."""
    return Sighting(sighting.label, sighting.status, sighting.score, tags=sighting.tags)


faces = st.lists(st.sampled_from([*PEOPLE.values(), *map(stranger, range(8))]), max_size=4)
drops = st.lists(st.tuples(st.sampled_from(["vault-1", "lobby"]), st.integers(0, 300), faces), max_size=12)


def drop_of(number: int, source: str, after_s: int) -> Drop:
    return Drop(f"{number:032x}", "faces", source, InlinePayload(b""), NOON + timedelta(seconds=after_s))


@given(drops)
def test_the_lanes_raise_between_the_minimum_and_the_maximum_of_the_dry_run(
    seen: list[tuple[str, int, list[Sighting]]],
):
    known: dict[tuple[str, str], UnknownSubjects] = {}
    raised: defaultdict[str, set[str]] = defaultdict(set)
    stored = []
    for number, (source, after_s, sightings) in enumerate(seen):
        drop, prediction = drop_of(number, source, after_s), Prediction(tuple(sightings), len(sightings))
        alerts, subjects = evaluate_rules(
            prediction, drop, RULES, lambda *at: known.get(at, no_subjects(*at))
        )
        if subjects is not None:
            known[subjects.source, subjects.window] = subjects
        for alert in alerts:
            raised[alert.rule].add(alert.id)
        stored.append((drop, Prediction(tuple(map(as_stored, sightings)), len(sightings))))

    for rule, count in count_alerts(stored, RULES).items():
        assert len(count.min_alerts) <= len(raised[rule]) <= len(count.max_alerts)
        if rule == "watch-listed":
            assert raised[rule] == count.min_alerts == count.max_alerts


def test_unknown_faces_may_be_one_person_or_several():
    stored = [
        (drop_of(number, "vault-1", number % 50), Prediction((as_stored(stranger(0)),), 1))
        for number in range(110)
    ]

    count = count_alerts(stored, RULES)["stranger"]

    assert (count.sightings, len(count.min_alerts), len(count.max_alerts)) == (110, 1, 110)


def test_canary_probes_raise_nothing():
    stored = [
        (drop_of(1, source, 0), Prediction((PEOPLE["ann"],), 1)) for source in ("canary", "canary-check")
    ]

    assert Counter(one.sightings for one in count_alerts(stored, RULES).values()) == {0: 3}
