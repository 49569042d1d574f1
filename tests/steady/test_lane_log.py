"""What a lane writes: every line names the drop it is about, and nobody."""

import io
import json
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from cloud.deadline import Deadline
from cloud.metrics import Gauges, ReleaseGauges
from functions.counting import Counting
from functions.lane import Lane, work
from functions.noticing import Noticing
from functions.pulse import Pulse
from tests.memory import NOON, Eye, MemoryLedger, MemoryObjects, OneModel
from vigil.drops import drop_id
from vigil.errors import Transient
from vigil.flow.process import World
from vigil.seeing import Scene, Sighting
from vigil.watch.rules import default_watch

LEASE = timedelta(seconds=20)
LOGGERS = count()
"""Powertools keeps one logger, and where it writes to, for each service."""

NAME = "ada-lovelace"
SCENE = Scene((Sighting("p-0123456789ab", "known", 0.9, tags=frozenset({"watch"})),), found=1)


def noop(*_: Any) -> None:
    """Nobody listens."""


def key(number: int) -> str:
    return f"live/eye/vault/{NAME}-{number}.jpg"


def record(number: int, body: str | None = None) -> dict[str, Any]:
    """A message that announces one object, as SQS hands it over."""
    announced = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "eventTime": NOON.isoformat(),
        "s3": {"bucket": {"name": "photos"}, "object": {"key": key(number), "versionId": "v1", "size": 5}},
    }
    return {
        "messageId": f"m-{number}",
        "receiptHandle": f"r-{number}",
        "body": body if body is not None else json.dumps({"Records": [announced]}),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(NOON.timestamp() * 1000))},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:live",
        "awsRegion": "us-east-1",
    }


def lines(
    *records: dict[str, Any], before: Callable[[], None], service: str | None = None
) -> list[dict[str, Any]]:
    """What the lane wrote while it worked on a batch; `before` runs in the model, at each look."""
    out = io.StringIO()
    eye = Eye(SCENE, before=before)
    held = {(key(number), "v1"): b"photo" for number in range(9)}
    lane = Lane(
        world=World(MemoryLedger(), MemoryObjects(held), OneModel(eye), default_watch, lambda: NOON),
        queue=SimpleNamespace(hide=noop),  # type: ignore[arg-type]
        bucket="photos",
        lease=LEASE,
        logger=Logger(service=service or f"live-{next(LOGGERS)}", stream=out),
        counting=Counting(
            Gauges(namespace="Vigil/t", service="live"), noop, LEASE, memory_mb=1024, stale_s=10
        ),
        pulse=Pulse(ReleaseGauges("Vigil/t"), noop),
        noticing=Noticing(noop),
        deadline=Deadline(),
    )
    context = SimpleNamespace(aws_request_id="request", get_remaining_time_in_millis=lambda: 1e9)
    work({"Records": list(records)}, context, lane)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def in_turn(*does: Callable[[], None]) -> Callable[[], None]:
    """The next of these at each look."""
    turns = iter(does)

    def turn() -> None:
        next(turns)()

    return turn


def away() -> None:
    raise Transient("read object: SlowDown")


def bug() -> None:
    raise ZeroDivisionError("division by zero")


def ident(number: int) -> str:
    return drop_id("photos", key(number), "v1", "eye")


def test_every_line_names_its_own_drop_whatever_became_of_the_others():
    told = lines(*map(record, range(4)), before=in_turn(noop, away, bug, noop))

    assert [(line["message"], line["drop"]) for line in told] == [
        ("done", ident(0)),
        ("retry", ident(1)),
        ("bug", ident(2)),
        ("done", ident(3)),
    ]


def test_a_message_that_breaks_before_its_drop_is_known_is_not_laid_to_the_one_before():
    broken = record(1) | {"attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "soon"}}

    told = lines(record(0), broken, before=noop)

    assert [(line["message"], line.get("drop")) for line in told] == [("done", ident(0)), ("bug", None)]
    assert told[1]["message_id"] == "m-1"


def test_what_is_logged_meanwhile_names_the_drop_in_hand_and_in_another_thread_none():
    """As a release that is fetched in the background and missed."""

    def warn() -> None:
        Logger(service="beside").warning("meanwhile")

    def elsewhere() -> None:
        thread = Thread(target=Logger(service="beside").warning, args=("elsewhere",))
        thread.start()
        thread.join()

    told = lines(record(0), record(1), before=in_turn(warn, elsewhere), service="beside")

    assert [(line["message"], line.get("drop")) for line in told] == [
        ("meanwhile", ident(0)),
        ("done", ident(0)),
        ("elsewhere", None),
        ("done", ident(1)),
    ]


@pytest.mark.parametrize("happens", [noop, away, bug])
def test_no_line_says_who_or_what_the_object_is_called(happens: Callable[[], None]):
    told = lines(record(0), record(1, body="no json"), before=happens)

    assert len(told) == 2
    assert NAME not in json.dumps(told)
    assert "p-0123456789ab" not in json.dumps(told)
