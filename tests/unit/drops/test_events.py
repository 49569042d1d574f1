"""Facts become CloudEvents of the documented schemas, without personal data."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from jsonschema import ValidationError

from cloud.dynamodb.attributes import to_item
from cloud.dynamodb.stream import events_from_stream
from tests.fakes.memory import NOON
from tests.fakes.message_schemas import (
    EVENT_SCHEMAS,
    FOLDER,
    assert_matches_schema,
    schema,
)
from vigil.drops.events import (
    AlertRaised,
    DropCompleted,
    ReleaseStageChanged,
    to_cloud_event,
)

DONE = DropCompleted(
    drop="d" * 32,
    state="done",
    model="faces",
    source="door",
    reason="",
    release="r1",
    sightings=2,
    alerts=1,
    occurred_at=NOON,
    object_ref={"bucket": "photos", "key": "live/faces/door/a.jpg", "version": "v1"},
)
REJECTED = replace(
    DONE, state="rejected", reason="empty-file", release="", sightings=0, alerts=0, object_ref={}
)
ALERT_RAISED = AlertRaised("a" * 32, "watch-listed", "critical", "known", "door", "faces", "d" * 32, NOON)

STAGE_CHANGED = ReleaseStageChanged(
    "digits", "0" * 32, "rolled-back", "roll-back", ("broke on 3 drops",), 3, "d1", "", NOON
)


@pytest.mark.parametrize(
    "fact", [DONE, REJECTED, replace(REJECTED, state="quarantined"), ALERT_RAISED, STAGE_CHANGED]
)
def test_an_event_matches_its_schema(fact: DropCompleted | ReleaseStageChanged | AlertRaised):
    told = to_cloud_event(fact, origin="/vigil/dev")

    assert_matches_schema(EVENT_SCHEMAS[told.event["type"]], json.loads(json.dumps(told.event)))


def test_an_event_without_schema_fails_the_check():
    told = to_cloud_event(DONE, origin="/vigil/dev")

    with pytest.raises(ValidationError):
        assert_matches_schema("drop-ended", dict(told.event) | {"person": "p-1"})


def test_a_repeated_event_has_the_same_id():
    assert (
        to_cloud_event(DONE, origin="/vigil/dev").event["id"]
        == to_cloud_event(DONE, origin="/vigil/dev").event["id"]
    )


def test_subscribers_can_filter_alerts_by_severity_and_source():
    assert to_cloud_event(ALERT_RAISED, origin="/vigil/dev").attributes == {
        "type": "vigil.alert.raised",
        "severity": "critical",
        "source": "door",
        "model": "faces",
    }


def test_an_attribute_without_value_is_omitted():
    assert "model" not in to_cloud_event(replace(REJECTED, model=""), origin="/vigil/dev").attributes


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_every_schema_is_valid_and_matches_its_examples(file):
    for example in schema(file.stem).schema.get("examples", []):
        assert_matches_schema(file.stem, example)


def stream_event(new: Mapping[str, object], old: Mapping[str, object] | None = None) -> dict[str, object]:
    images = {"NewImage": to_item(new)} | ({"OldImage": to_item(old)} if old else {})
    return {"eventName": "MODIFY" if old else "INSERT", "dynamodb": {"SequenceNumber": "7", **images}}


CLAIMED_ROW = {"sk": "drop", "state": "claimed", "drop_id": "d", "model": "faces", "source": "door"}
COMPLETED_ROW = CLAIMED_ROW | {"state": "done", "release": "r1", "completed_at": NOON.isoformat()}


def test_a_drop_is_published_once_when_it_is_completed():
    event = {
        "Records": [
            stream_event(COMPLETED_ROW, CLAIMED_ROW),
            stream_event(COMPLETED_ROW | {"note": 1}, COMPLETED_ROW),
            stream_event(CLAIMED_ROW),
        ]
    }

    ((mark, fact),) = events_from_stream(event)

    assert mark == "7"
    assert isinstance(fact, DropCompleted)


def test_an_alert_is_published_when_it_is_raised_and_not_when_it_is_repeated():
    row = {
        "sk": "alert",
        "alert_id": "a",
        "rule": "r",
        "severity": "info",
        "status": "known",
        "source": "door",
        "model": "faces",
        "drop_id": "d",
        "occurred_at": NOON.isoformat(),
        "drops": 1,
    }

    told = list(events_from_stream({"Records": [stream_event(row), stream_event(row | {"drops": 2}, row)]}))

    assert [type(fact) for _, fact in told] == [AlertRaised]


def test_an_expired_row_is_not_published():
    removed = {"eventName": "REMOVE", "dynamodb": {"SequenceNumber": "7", "OldImage": to_item(COMPLETED_ROW)}}

    assert list(events_from_stream({"Records": [removed]})) == []
