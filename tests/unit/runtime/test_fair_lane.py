"""A source that sends much delays no other: a message that waits is sent again in the group of its source."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from cloud.sqs import FIRST_SENT_ATTRIBUTE, REDRIVE_COUNT_ATTRIBUTE
from tests.fakes.memory import NOON, FakeModel, MemoryLedger
from tests.unit.runtime.lane import SCENE, ident, process_records, record
from vigil.errors import Transient

LONG_AGO_MS = str(int(NOON.timestamp() * 1000))


@dataclass
class FakeQueue:
    """A queue that stores what is sent in groups, or fails."""

    fails: bool = False
    sent: list[tuple[str, str, str]] = field(default_factory=list)

    def set_visibility_timeout(self, receipt: str, timeout_s: int) -> None:
        """Accepts any call."""

    def send_in_group(self, message: str, group: str, first_sent_ms: str) -> None:
        if self.fails:
            raise Transient("away", dependency="queues", operation="send in group")
        self.sent.append((message, group, first_sent_ms))


def process(*records: dict[str, Any], queue: FakeQueue, is_fair: bool = True) -> list[str]:
    """The ids of the drops that the lane processed, in their order."""
    ledger = MemoryLedger()
    answer = process_records(
        records,
        model=FakeModel(SCENE),
        ledger=ledger,
        queue=queue,
        clips=queue,
        logger=Logger(service="fair-lane"),
        is_fair=is_fair,
    )
    assert answer == {"batchItemFailures": []}
    return list(ledger.records)


def received_twice(message: dict[str, Any]) -> dict[str, Any]:
    return message | {"attributes": message["attributes"] | {"ApproximateReceiveCount": "2"}}


def with_attribute(message: dict[str, Any], name: str, value: str) -> dict[str, Any]:
    return message | {"messageAttributes": {name: {"stringValue": value}}}


def just_sent(message: dict[str, Any]) -> dict[str, Any]:
    now_ms = str(int(datetime.now(UTC).timestamp() * 1000))
    return message | {"attributes": message["attributes"] | {"SentTimestamp": now_ms}}


def test_messages_that_waited_are_sent_again_in_the_group_of_their_source_and_not_processed():
    queue = FakeQueue()

    assert process(record(0), record(1), queue=queue) == []

    assert queue.sent == [(record(number)["body"], "vault", LONG_AGO_MS) for number in (0, 1)]


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([record(0)], id="nobody waits behind the only message"),
        pytest.param(
            [with_attribute(record(n), FIRST_SENT_ATTRIBUTE, LONG_AGO_MS) for n in (0, 1)],
            id="sent again before",
        ),
        pytest.param(
            [with_attribute(record(n), REDRIVE_COUNT_ATTRIBUTE, "1") for n in (0, 1)], id="redriven"
        ),
        pytest.param([received_twice(record(n)) for n in (0, 1)], id="they failed before"),
    ],
)
def test_other_messages_are_processed_at_once(messages: list[dict[str, Any]]):
    queue = FakeQueue()

    assert process(*messages, queue=queue) == [ident(number) for number in range(len(messages))]
    assert queue.sent == []


def test_messages_that_did_not_wait_are_processed_at_once():
    queue = FakeQueue()

    assert process(just_sent(record(0)), just_sent(record(1)), queue=queue) == [ident(0), ident(1)]
    assert queue.sent == []


def test_the_bulk_lane_sends_nothing_again():
    queue = FakeQueue()

    assert process(record(0), record(1), queue=queue, is_fair=False) == [ident(0), ident(1)]
    assert queue.sent == []


def test_a_job_whose_id_is_that_of_its_message_is_not_sent_again():
    job = json.dumps({"model": "eye", "data": "cGhvdG8="})
    queue = FakeQueue()

    process(record(0, body=job), record(1, body=job), queue=queue)

    assert queue.sent == []


def test_a_message_that_cannot_be_sent_again_is_processed():
    assert process(record(0), record(1), queue=FakeQueue(fails=True)) == [ident(0), ident(1)]


def test_a_message_that_failed_before_is_processed_after_the_others_of_its_batch():
    messages = [received_twice(record(0)), just_sent(record(1)), just_sent(record(2))]

    assert process(*messages, queue=FakeQueue()) == [ident(1), ident(2), ident(0)]


def test_a_message_of_a_group_is_processed_after_those_that_did_not_wait():
    messages = [with_attribute(record(0), FIRST_SENT_ATTRIBUTE, LONG_AGO_MS), just_sent(record(1))]

    assert process(*messages, queue=FakeQueue()) == [ident(1), ident(0)]


def test_a_message_of_a_group_is_sent_again_after_a_second_of_its_batch(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("functions.runtime.sqs_batch.MAX_WAIT_S", 0.0)
    queue = FakeQueue()

    assert process(*[with_attribute(record(n), FIRST_SENT_ATTRIBUTE, "7") for n in (0, 1)], queue=queue) == []
    assert [sent[1:] for sent in queue.sent] == [("vault", "7"), ("vault", "7")]
