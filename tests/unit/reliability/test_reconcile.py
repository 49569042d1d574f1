"""What a bucket holds, against what the ledger knows."""

import json
from datetime import timedelta

import pytest

from cloud.s3_events import QueueMessage, announcement, parse_message
from tests.fakes.memory import NOON
from vigil.drops.ledger import DropRecord
from vigil.drops.messages import Drop, InvalidMessage, S3Object
from vigil.reliability.reconcile import (
    Completeness,
    ListedObject,
    ReconcilePolicy,
    find_missing,
    routable_objects,
    to_drop,
)

HOUR = timedelta(hours=1)
PHOTO = ListedObject(S3Object("photos", "live/faces/door/a b+ü%.jpg", "v1"), NOON - 2 * HOUR)


def entry(listed: ListedObject = PHOTO) -> tuple[ListedObject, Drop | InvalidMessage]:
    return listed, to_drop(listed)


def record(state: str = "claimed", ended_ago: timedelta = 2 * HOUR) -> DropRecord:
    return DropRecord(to_drop(PHOTO).id, state, 1, NOON - ended_ago)


def missing_reasons(*records: DropRecord, listed: ListedObject = PHOTO) -> tuple[list[str], Completeness]:
    known = {one.drop_id: one for one in records}
    found, census = find_missing([entry(listed)], known, now=NOON, policy=ReconcilePolicy())
    return [one.reason for one in found], census


def test_an_object_with_a_final_state_is_not_missing():
    assert missing_reasons(record("rejected")) == ([], Completeness(objects=1, completed=1))


def test_an_object_without_an_event_is_missing():
    assert missing_reasons() == (["unannounced"], Completeness(objects=1, missing={"unannounced": 1}))


def test_a_recent_object_is_not_missing_yet():
    listed = ListedObject(PHOTO.s3_object, NOON - timedelta(minutes=1))

    assert missing_reasons(listed=listed) == ([], Completeness(too_recent=1))


def test_an_object_older_than_the_retention_is_not_missing():
    listed = ListedObject(PHOTO.s3_object, NOON - timedelta(days=90))

    assert missing_reasons(listed=listed) == ([], Completeness())


def test_a_lease_that_expired_long_ago_is_missing_and_a_recent_one_is_not():
    assert missing_reasons(record())[0] == ["lease-expired"]
    assert missing_reasons(record(ended_ago=HOUR / 2))[0] == []


def test_a_lease_beyond_the_maximum_is_stuck():
    assert missing_reasons(record(ended_ago=-HOUR))[0] == ["stuck-lease"]


def test_a_drop_with_a_valid_lease_is_not_missing():
    found, census = missing_reasons(record(ended_ago=timedelta(seconds=-10)))

    assert (found, census.ratio) == ([], 0.0)


def test_a_reannouncement_makes_the_same_drop_as_the_event_of_s3():
    told = {
        "eventTime": "2026-03-02T10:00:00.000Z",
        "s3": {
            "bucket": {"name": "photos"},
            "object": {"key": "live/faces/door/a+b%2B%C3%BC%25.jpg", "versionId": "v1"},
        },
    }
    (first,) = parse_message(QueueMessage("m", json.dumps({"Records": [told]}), NOON), "photos")

    message = announcement(PHOTO.s3_object, PHOTO.stored_at)
    assert to_drop(PHOTO) == first
    assert parse_message(QueueMessage("m", message, NOON), "photos") == [first]


def test_an_object_for_another_model_is_another_drop():
    drop = to_drop(PHOTO, model="objects")
    message = announcement(PHOTO.s3_object, PHOTO.stored_at, "objects")

    assert isinstance(drop, Drop)
    assert (drop.model, drop.source, drop.payload) == ("objects", "door", PHOTO.s3_object)
    assert drop.id != to_drop(PHOTO).id
    assert parse_message(QueueMessage("m", message, NOON), "photos") == [drop]


def test_an_unroutable_key_is_an_invalid_message_for_reconcile_and_skipped_by_backfill():
    astray = ListedObject(S3Object("photos", "live/astray.jpg", "v1"), NOON)

    (invalid,) = parse_message(
        QueueMessage("", announcement(astray.s3_object, astray.stored_at), NOON), "photos"
    )
    assert isinstance(invalid, InvalidMessage)
    assert to_drop(astray).id == invalid.id
    assert isinstance(to_drop(astray), InvalidMessage)
    assert routable_objects([astray, PHOTO]) == [PHOTO]


def test_the_completeness_of_pages_is_added():
    whole = Completeness(3, 3) + Completeness(1, 0, 2, {"unannounced": 1})

    assert whole == Completeness(4, 3, 2, {"unannounced": 1})
    assert whole.ratio == pytest.approx(0.75)
    assert Completeness().ratio == 1
