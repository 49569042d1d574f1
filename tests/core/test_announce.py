"""Facts become CloudEvents of the documented shapes, with nothing personal in them."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from jsonschema import ValidationError

from cloud.items import item
from cloud.outbox import facts
from tests.memory import NOON
from tests.schemas import EVENT_SCHEMAS, FOLDER, fits, schema
from vigil.flow.announce import Ended, Moved, Raised, announce

DONE = Ended(
    drop="d" * 32,
    state="done",
    model="faces",
    source="door",
    reason="",
    release="r1",
    sightings=2,
    alerts=1,
    at=NOON,
    where={"bucket": "photos", "key": "live/faces/door/a.jpg", "version": "v1"},
)
REJECTED = replace(DONE, state="rejected", reason="empty-file", release="", sightings=0, alerts=0, where={})
ALERT = Raised("a" * 32, "watch-listed", "critical", "known", "door", "faces", "d" * 32, NOON)

MOVED = Moved("digits", "0" * 16, "rolled-back", "roll-back", ("broke on 3 drops",), 3, "d1", "", NOON)


@pytest.mark.parametrize("fact", [DONE, REJECTED, replace(REJECTED, state="quarantined"), ALERT, MOVED])
def test_an_event_has_its_documented_shape(fact: Ended | Moved | Raised):
    told = announce(fact, origin="/vigil/dev")

    fits(EVENT_SCHEMAS[told.event["type"]], json.loads(json.dumps(told.event)))


def test_a_shape_that_is_not_documented_is_noticed():
    told = announce(DONE, origin="/vigil/dev")

    with pytest.raises(ValidationError):
        fits("drop-ended", dict(told.event) | {"person": "p-1"})


def test_the_same_fact_told_twice_has_the_same_id():
    assert announce(DONE, origin="/vigil/dev").event["id"] == announce(DONE, origin="/vigil/dev").event["id"]


def test_subscribers_can_filter_alerts_by_severity_and_source():
    assert announce(ALERT, origin="/vigil/dev").attributes == {
        "type": "vigil.alert.raised",
        "severity": "critical",
        "source": "door",
        "model": "faces",
    }


def test_an_attribute_without_a_value_is_left_out_as_sns_wants_it():
    assert "model" not in announce(replace(REJECTED, model=""), origin="/vigil/dev").attributes


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_every_schema_is_one_and_its_examples_fit(file):
    for example in schema(file.stem).schema.get("examples", []):
        fits(file.stem, example)


def stream(new: Mapping[str, object], old: Mapping[str, object] | None = None) -> dict[str, object]:
    images = {"NewImage": item(new)} | ({"OldImage": item(old)} if old else {})
    return {"eventName": "MODIFY" if old else "INSERT", "dynamodb": {"SequenceNumber": "7", **images}}


CLAIMED = {"sk": "drop", "state": "claimed", "drop_id": "d", "model": "faces", "taken_from": "door"}
ENDED = CLAIMED | {"state": "done", "release": "r1", "settled_at": NOON.isoformat()}


def test_a_drop_is_told_when_it_ends_and_not_again():
    event = {"Records": [stream(ENDED, CLAIMED), stream(ENDED | {"note": 1}, ENDED), stream(CLAIMED)]}

    ((mark, fact),) = facts(event)

    assert mark == "7"
    assert isinstance(fact, Ended)


def test_an_alert_is_told_when_it_is_raised_and_not_when_it_is_counted_up():
    row = {
        "sk": "alert",
        "alert_id": "a",
        "rule": "r",
        "severity": "info",
        "status": "known",
        "taken_from": "door",
        "model": "faces",
        "drop_id": "d",
        "happened_at": NOON.isoformat(),
        "drops": 1,
    }

    told = list(facts({"Records": [stream(row), stream(row | {"drops": 2}, row)]}))

    assert [type(fact) for _, fact in told] == [Raised]


def test_a_row_that_time_removed_is_no_news():
    removed = {"eventName": "REMOVE", "dynamodb": {"SequenceNumber": "7", "OldImage": item(ENDED)}}

    assert list(facts({"Records": [removed]})) == []
