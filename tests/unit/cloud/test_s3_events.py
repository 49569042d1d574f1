"""Messages become drops; what cannot become one is an invalid message with its reason."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.s3_events import QueueMessage, parse_message
from vigil.drops.messages import Drop, InlinePayload, InvalidMessage, S3Object, parse_object_key
from vigil.errors import UnroutableKey

SENT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BUCKET = "photos"


def queue_message(body: Any, message_id: str = "m-1") -> QueueMessage:
    return QueueMessage(message_id, body if isinstance(body, str) else json.dumps(body), SENT)


def record(key: str, bucket: str = BUCKET, **of_object: str) -> dict[str, Any]:
    return {
        "eventSource": "aws:s3",
        "eventTime": "2026-03-02T11:59:58.000Z",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key), "versionId": "v1"} | of_object},
    }


def single_drop(parsed: list[Drop | InvalidMessage]) -> Any:
    assert len(parsed) == 1
    return parsed[0]


def test_a_notification_has_one_drop_for_each_record():
    drops = parse_message(
        queue_message({"Records": [record("live/faces/door/a.jpg"), record("live/eye/hall/b.jpg")]}), BUCKET
    )

    assert [(drop.model, drop.source) for drop in drops if isinstance(drop, Drop)] == [
        ("faces", "door"),
        ("eye", "hall"),
    ]


def test_the_same_event_in_another_message_is_the_same_drop():
    body = {"Records": [record("live/faces/door/a.jpg")]}

    assert (
        single_drop(parse_message(queue_message(body, "m-1"), BUCKET)).id
        == single_drop(parse_message(queue_message(body, "m-2"), BUCKET)).id
    )


def test_another_version_is_another_drop():
    first = parse_message(queue_message({"Records": [record("live/faces/door/a.jpg")]}), BUCKET)
    second = parse_message(
        queue_message({"Records": [record("live/faces/door/a.jpg", versionId="v2")]}), BUCKET
    )

    assert single_drop(first).id != single_drop(second).id


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_object_name_survives_the_notification(name: str):
    key = f"live/faces/door/{name}"

    drop = single_drop(parse_message(queue_message({"Records": [record(key)]}), BUCKET))

    assert drop.payload == S3Object(BUCKET, key, "v1")


def test_a_drop_occurred_at_the_time_of_its_event():
    drop = single_drop(parse_message(queue_message({"Records": [record("live/faces/door/a.jpg")]}), BUCKET))

    assert drop.occurred_at == datetime(2026, 3, 2, 11, 59, 58, tzinfo=UTC)


def test_the_test_event_of_s3_is_no_drop():
    assert (
        parse_message(
            queue_message({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}), BUCKET
        )
        == []
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("not json", "malformed-message"),
        ("[]", "malformed-message"),
        ("null", "malformed-message"),
        ({}, "malformed-message"),
        ({"Records": []}, "malformed-message"),
        ({"Records": ["?"]}, "malformed-message"),
        ({"Records": [record("live/faces/door/a.jpg") | {"eventTime": "yesterday"}]}, "malformed-message"),
        ({"Records": [record("live/a.jpg")]}, "unroutable-key"),
        ({"Records": [record("live/Faces!/door/a.jpg")]}, "unroutable-key"),
        ({"Records": [record("live/faces/door/a.jpg", bucket="elsewhere")]}, "foreign-bucket"),
        ({"model": "faces"}, "malformed-message"),
        ({"model": "faces", "data": "%%%"}, "malformed-message"),
        ({"model": "faces", "data": "\x80"}, "malformed-message"),
        ('{"model": "faces", "id": "\\ud800", "data": ""}', "malformed-message"),
        ("[" * 100_000, "malformed-message"),
        ({"model": "faces", "data": "AAAA", "source": "no spaces"}, "malformed-message"),
        ({"model": "faces", "data": "AAAA", "at": "2026-03-02T12:00:00"}, "malformed-message"),
        ({"model": "faces", "s3": {"bucket": "elsewhere", "key": "k"}}, "foreign-bucket"),
    ],
)
def test_an_invalid_message_is_recorded_with_its_reason(body: Any, reason: str):
    invalid = single_drop(parse_message(queue_message(body), BUCKET))

    assert isinstance(invalid, InvalidMessage)
    assert invalid.rejection.reason == reason


LONG = "x" * 140_000


@pytest.mark.parametrize(
    "body",
    [
        {"model": LONG, "data": "AAAA"},
        {"model": "faces", "data": "AAAA", "at": "1" * 80_000},
        {"model": "faces", "data": "AAAA", "id": LONG},
        {"model": "faces", "data": "AAAA", "source": LONG},
        {"model": "faces", "s3": {"bucket": BUCKET, "key": "ä" * 513}},
        {"model": "faces", "s3": {"bucket": LONG, "key": "k"}},
        {"model": "faces", "s3": {"bucket": BUCKET, "key": "k", "version_id": LONG}},
        {"Records": [record(f"live/faces/door/{LONG}")]},
        {"Records": [record("live/faces/door/a.jpg") | {"eventTime": LONG}]},
        {"Records": [record("live/faces/door/a.jpg", versionId=LONG)]},
        {"Records": [record("live/faces/door/a.jpg", versionId="", sequencer=LONG)]},
    ],
)
def test_a_text_that_no_row_can_hold_is_refused_before_it_is_parsed(body: Any):
    invalid = single_drop(parse_message(queue_message(body), BUCKET))

    assert isinstance(invalid, InvalidMessage)
    assert invalid.rejection.reason == "malformed-message"
    assert len(str(invalid)) < 4_000


def test_a_number_as_the_id_of_a_job_identifies_it():
    body = {"model": "eye", "id": 0, "data": "AAAA"}

    first, second = (single_drop(parse_message(queue_message(body, name), BUCKET)) for name in ("m-1", "m-2"))

    assert first.id == second.id


@pytest.mark.parametrize("ident", [True, False, 1.0, ["mine-7"], {"id": "mine-7"}])
def test_the_id_of_a_job_is_a_text_or_an_integer(ident: Any):
    invalid = single_drop(parse_message(queue_message({"model": "eye", "id": ident, "data": "AAAA"}), BUCKET))

    assert isinstance(invalid, InvalidMessage)
    assert "id must be a text or an integer" in str(invalid.rejection)


@pytest.mark.parametrize(("one", "other"), [(0, "0"), (-7, "-7"), ("caf\u00e9", "cafe\u0301")])
def test_an_integer_and_its_text_and_both_forms_of_a_text_are_one_id(one: Any, other: str):
    first, second = (
        single_drop(parse_message(queue_message({"model": "eye", "id": ident, "data": "AAAA"}, name), BUCKET))
        for ident, name in ((one, "m-1"), (other, "m-2"))
    )

    assert first.id == second.id


@pytest.mark.parametrize("ident", [None, ""])
def test_a_job_without_an_id_is_identified_by_its_message(ident: Any):
    body = {"model": "eye", "id": ident, "data": "AAAA"}

    first, second = (single_drop(parse_message(queue_message(body, name), BUCKET)) for name in ("m-1", "m-2"))

    assert first.id != second.id


@pytest.mark.parametrize(
    ("at", "accepted"),
    [
        ("1970-01-01T00:00:00Z", True),
        ("9000-12-31T23:59:59+00:00", True),
        ("1970-01-01T00:00:00+14:00", True),
        ("9000-12-31T23:59:59-12:00", True),
        ("1969-12-31T23:59:59Z", False),
        ("9001-01-01T00:00:00Z", False),
        ("0001-01-01T00:00:00+14:00", False),
        ("9999-12-31T23:59:59-12:00", False),
        ("2026-02-30T00:00:00Z", False),
        ("2026-03-02T12:00:00+24:00", False),
        ("", False),
        (None, False),
        (0, False),
        (1772452800, False),
        (["2026-03-02T12:00:00Z"], False),
    ],
)
def test_the_time_of_a_job_is_from_1970_to_9000_and_has_an_offset(at: Any, accepted: bool):
    parsed = single_drop(parse_message(queue_message({"model": "eye", "at": at, "data": "AAAA"}), BUCKET))

    assert isinstance(parsed, Drop) == accepted
    if accepted:
        assert parsed.occurred_at.astimezone(UTC) == datetime.fromisoformat(at)


def test_one_invalid_record_does_not_affect_the_others():
    arrivals = parse_message(
        queue_message({"Records": [record("live/oops"), record("live/faces/door/a.jpg")]}), BUCKET
    )

    assert [type(arrival) for arrival in arrivals] == [InvalidMessage, Drop]


def test_a_job_can_contain_its_bytes():
    body = {"model": "eye", "source": "feed", "data": base64.b64encode(b"xyz").decode()}

    drop = single_drop(parse_message(queue_message(body), BUCKET))

    assert (drop.payload, drop.source, drop.occurred_at) == (InlinePayload(b"xyz"), "feed", SENT)


def test_a_job_sent_twice_under_one_id_is_one_drop():
    body = {"model": "eye", "id": "mine-7", "data": "AAAA"}

    assert (
        single_drop(parse_message(queue_message(body, "m-1"), BUCKET)).id
        == single_drop(parse_message(queue_message(body, "m-2"), BUCKET)).id
    )


def test_another_model_on_the_same_object_is_another_drop():
    job = {"s3": {"bucket": BUCKET, "key": "k", "version_id": "v1"}}

    first, second = (
        single_drop(parse_message(queue_message(job | {"model": name}), BUCKET)) for name in ("faces", "eye")
    )

    assert first.id != second.id


@pytest.mark.parametrize("key", ["live/faces/door/", "live//door/a.jpg", "live/faces//a.jpg", "a.jpg", ""])
def test_a_key_without_model_source_and_name_is_unroutable(key: str):
    with pytest.raises(UnroutableKey):
        parse_object_key(key)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["Records", "model", "s3", "data", "at", "bucket", "key", "object", "eventTime"]
                ),
                inner,
            )
        ),
    )
)
def test_any_message_is_parsed_or_rejected(body: Any):
    for arrival in parse_message(queue_message(json.dumps(body)), BUCKET):
        assert isinstance(arrival, Drop | InvalidMessage)
