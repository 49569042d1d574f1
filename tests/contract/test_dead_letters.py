"""Dead letters read, sent back and put away, on moto."""

import json
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from cloud.sqs_dead_letters import SqsDeadLetters
from vigil.drops.messages import Drop
from vigil.reliability.dead_letters import Redrive, SuspectDrop

SUSPECT = SuspectDrop("d1", 5)
JOB = json.dumps({"model": "faces", "id": "j1", "data": ""})


def create_dead_letters(sqs: Any) -> tuple[SqsDeadLetters, str, str]:
    dead, lane = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("dead", "lane"))
    letters = SqsDeadLetters(sqs, dead_letter_url=dead, lane_queue_url=lane, lane="live", bucket="bucket")
    return letters, dead, lane


def test_a_dead_letter_contains_its_drops(sqs: Any):
    letters, dead, _ = create_dead_letters(sqs)
    sqs.send_message(QueueUrl=dead, MessageBody=JOB)

    (letter,) = letters.receive(100)

    assert (letter.lane, letter.redrives, letter.body) == ("live", 0, JOB)
    assert [type(drop) for drop in letter.drops] == [Drop]


def test_a_redriven_message_carries_its_redrives_and_its_suspect_drop(sqs: Any):
    letters, dead, lane = create_dead_letters(sqs)
    sqs.send_message(QueueUrl=dead, MessageBody=JOB)
    (letter,) = letters.receive(100)

    letters.redrive(Redrive(letter, "why", SUSPECT))
    letters.delete(letter)

    (sent,) = sqs.receive_message(QueueUrl=lane, MessageAttributeNames=["All"])["Messages"]
    assert (sent["Body"], sent["MessageAttributes"]["vigil-redrives"]["StringValue"]) == (JOB, "1")
    back = SqsDeadLetters(sqs, dead_letter_url=lane, lane_queue_url=lane, lane="live", bucket="bucket")
    sqs.change_message_visibility(QueueUrl=lane, ReceiptHandle=sent["ReceiptHandle"], VisibilityTimeout=0)
    assert [(one.redrives, one.suspect) for one in back.receive(1)] == [(1, SUSPECT)]
    assert (
        sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["All"])["Attributes"][
            "ApproximateNumberOfMessagesNotVisible"
        ]
        == "0"
    )


def test_a_letter_sent_back_without_suspicion_clears_its_drop(sqs: Any):
    letters, dead, _ = create_dead_letters(sqs)
    back = SqsDeadLetters(sqs, dead_letter_url=dead, lane_queue_url=dead, lane="live", bucket="bucket")
    sqs.send_message(QueueUrl=dead, MessageBody=JOB)
    (letter,) = letters.receive(1)
    letters.delete(letter)

    back.redrive(Redrive(replace(letter, redrives=1, suspect=SUSPECT), "why"))

    assert [(one.redrives, one.suspect) for one in letters.receive(1)] == [(2, None)]


def test_a_letter_is_seen_in_its_lane_when_it_is_meant_to_be(sqs: Any):
    letters, dead, lane = create_dead_letters(sqs)
    sqs.send_message(QueueUrl=dead, MessageBody=JOB)
    (letter,) = letters.receive(1)

    letters.redrive(Redrive(letter, "why", delay=timedelta(seconds=1)))

    assert "Messages" not in sqs.receive_message(QueueUrl=lane)
    assert len(sqs.receive_message(QueueUrl=lane, WaitTimeSeconds=3)["Messages"]) == 1


def test_no_more_letters_are_received_than_asked_for(sqs: Any):
    letters, dead, _ = create_dead_letters(sqs)
    for _ in range(15):
        sqs.send_message(QueueUrl=dead, MessageBody=JOB)

    assert len(letters.receive(12)) == 12


class Sampled:
    """SQS as it is at scale: every other receive meets servers that have nothing."""

    def __init__(self, sqs: Any, *, deaf: bool = False) -> None:
        self._sqs, self._asked, self._deaf = sqs, 0, deaf

    def receive_message(self, **words: Any) -> Any:
        self._asked += 1
        return {} if self._deaf or self._asked % 2 else self._sqs.receive_message(**words)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sqs, name)


def test_an_empty_answer_of_a_queue_that_is_not_empty_is_not_believed(sqs: Any):
    _, dead, lane = create_dead_letters(sqs)
    for _ in range(15):
        sqs.send_message(QueueUrl=dead, MessageBody=JOB)
    makes = partial(SqsDeadLetters, dead_letter_url=dead, lane_queue_url=lane, lane="live", bucket="bucket")

    assert len(makes(Sampled(sqs)).receive(100)) == 15
    sqs.send_message(QueueUrl=dead, MessageBody=JOB)
    assert makes(Sampled(sqs, deaf=True)).receive(100) == []
