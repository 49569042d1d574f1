"""What a bucket holds, against what the ledger knows."""

import json
from datetime import timedelta

import pytest

from tests.memory import NOON
from vigil.drops import Drop, Envelope, Misfit, Object, read
from vigil.steady.reconcile import Census, Listed, Patience, as_drop, reconcile, routable
from vigil.steady.record import Record

HOUR = timedelta(hours=1)
PHOTO = Listed(Object("photos", "live/faces/door/a b+ü%.jpg", "v1"), NOON - 2 * HOUR)


def entry(listed: Listed = PHOTO) -> tuple[Listed, Drop | Misfit, str]:
    return (listed, *as_drop(listed))


def record(state: str = "claimed", ended_ago: timedelta = 2 * HOUR) -> Record:
    return Record(as_drop(PHOTO)[0].id, state, 1, NOON - ended_ago)


def wants(*records: Record, listed: Listed = PHOTO) -> tuple[list[str], Census]:
    known = {one.drop: one for one in records}
    found, census = reconcile([entry(listed)], known, now=NOON, patience=Patience())
    return [one.want for one in found], census


def test_an_object_with_an_end_lacks_nothing():
    assert wants(record("rejected")) == ([], Census(objects=1, settled=1))


def test_an_object_that_no_event_announced_is_found():
    assert wants() == (["unannounced"], Census(objects=1, wants={"unannounced": 1}))


def test_an_object_just_stored_is_given_time():
    listed = Listed(PHOTO.item, NOON - timedelta(minutes=1))

    assert wants(listed=listed) == ([], Census(young=1))


def test_what_the_ledger_has_forgotten_is_not_taken_for_what_it_never_knew():
    listed = Listed(PHOTO.item, NOON - timedelta(days=90))

    assert wants(listed=listed) == ([], Census())


def test_a_claim_whose_lease_died_long_ago_is_found_and_a_recent_one_is_not():
    assert wants(record())[0] == ["lease-died"]
    assert wants(record(ended_ago=HOUR / 2))[0] == []


def test_a_claim_until_beyond_any_lease_is_stuck():
    assert wants(record(ended_ago=-HOUR))[0] == ["stuck-claim"]


def test_a_claim_that_is_being_worked_on_is_left_alone():
    found, census = wants(record(ended_ago=timedelta(seconds=-10)))

    assert (found, census.completeness) == ([], 0.0)


def test_what_is_announced_again_is_the_same_drop_as_what_s3_announces():
    told = {
        "eventTime": "2026-03-02T10:00:00.000Z",
        "s3": {
            "bucket": {"name": "photos"},
            "object": {"key": "live/faces/door/a+b%2B%C3%BC%25.jpg", "versionId": "v1"},
        },
    }
    (first,) = read(Envelope("m", json.dumps({"Records": [told]}), NOON), "photos")

    assert as_drop(PHOTO)[0] == first


def test_another_models_look_is_another_drop_of_the_same_object():
    drop, message = as_drop(PHOTO, model="objects")

    assert isinstance(drop, Drop)
    assert (drop.model, drop.source, drop.origin) == ("objects", "door", PHOTO.item)
    assert drop.id != as_drop(PHOTO)[0].id
    assert read(Envelope("m", message, NOON), "photos") == [drop]


def test_a_key_without_a_route_is_a_misfit_to_reconcile_and_nothing_to_back_fill():
    astray = Listed(Object("photos", "live/astray.jpg", "v1"), NOON)

    assert isinstance(as_drop(astray)[0], Misfit)
    assert routable([astray, PHOTO]) == [PHOTO]


def test_pages_add_up_to_one_figure():
    whole = Census(3, 3) + Census(1, 0, 2, {"unannounced": 1})

    assert whole == Census(4, 3, 2, {"unannounced": 1})
    assert whole.completeness == pytest.approx(0.75)
    assert Census().completeness == 1
