"""The log of a lane: every line names its drop, and no person."""

import io
import json
from collections.abc import Callable
from itertools import count
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from tests.fakes.memory import (
    NOON,
    FakeModel,
    MemoryLedger,
)
from tests.unit.runtime.lane import NAME, SCENE, ident, noop, process_records, record
from vigil.drops.messages import compute_drop_id
from vigil.errors import Transient

LOGGERS = count()
"""Powertools has one logger for each service."""


def logged_lines(
    *records: dict[str, Any],
    before: Callable[[], None],
    service: str | None = None,
    send_clips: Callable[[list[str]], None] = noop,
) -> list[dict[str, Any]]:
    """The log of a lane that processed a batch; `before` runs at each prediction."""
    out = io.StringIO()
    eye = FakeModel(SCENE, before_predict=before)
    process_records(
        records,
        model=eye,
        ledger=MemoryLedger(),
        queue=SimpleNamespace(set_visibility_timeout=noop),
        clips=SimpleNamespace(send_messages=send_clips),
        logger=Logger(service=service or f"live-{next(LOGGERS)}", stream=out),
    )
    return [json.loads(line) for line in out.getvalue().splitlines()]


def in_turn(*does: Callable[[], None]) -> Callable[[], None]:
    """The next of these at each prediction."""
    turns = iter(does)

    def turn() -> None:
        next(turns)()

    return turn


def away() -> None:
    raise Transient("SlowDown", dependency="photos", operation="read object")


def bug() -> None:
    raise ZeroDivisionError("division by zero")


def test_every_line_names_its_own_drop_whatever_the_outcome_of_the_others():
    told = logged_lines(*map(record, range(4)), before=in_turn(noop, away, bug, noop))

    assert [(line["message"], line["drop"]) for line in told] == [
        ("done", ident(0)),
        ("retry", ident(1)),
        ("unexpected-error", ident(2)),
        ("done", ident(3)),
    ]


def test_a_message_that_fails_before_its_drop_is_known_is_not_logged_under_the_previous_drop():
    broken = record(1) | {"attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "soon"}}

    told = logged_lines(record(0), broken, before=noop)

    assert [(line["message"], line.get("drop")) for line in told] == [
        ("done", ident(0)),
        ("unexpected-error", None),
    ]
    assert told[1]["message_id"] == "m-1"


def test_other_lines_name_the_current_drop_and_those_of_other_threads_none():
    """Such as the line about a failed download in the background."""

    def warn() -> None:
        Logger(service="beside").warning("meanwhile")

    def elsewhere() -> None:
        thread = Thread(target=Logger(service="beside").warning, args=("elsewhere",))
        thread.start()
        thread.join()

    told = logged_lines(record(0), record(1), before=in_turn(warn, elsewhere), service="beside")

    assert [(line["message"], line.get("drop")) for line in told] == [
        ("meanwhile", ident(0)),
        ("done", ident(0)),
        ("elsewhere", None),
        ("done", ident(1)),
    ]


@pytest.mark.parametrize("happens", [noop, away, bug])
def test_no_line_contains_a_person_or_an_object_name(happens: Callable[[], None]):
    told = logged_lines(record(0), record(1, body="no json"), before=happens)

    assert len(told) == 2
    assert NAME not in json.dumps(told)
    assert "p-0123456789ab" not in json.dumps(told)


def test_a_clip_is_passed_on_to_its_own_queue_and_is_no_drop_of_the_lane():
    location = {"bucket": "photos", "key": "live/clips/vault/film.mp4", "version_id": "v1"}
    clip = {"model": "clips", "source": "vault", "at": NOON.isoformat(), "s3": location}
    sent: list[str] = []

    lines = logged_lines(record(0, json.dumps(clip)), record(1), before=noop, send_clips=sent.extend)

    (passed_on,) = [json.loads(body) for body in sent]
    assert passed_on["s3"] == location
    assert passed_on["id"] == compute_drop_id("photos", location["key"], "v1", "clips")
    assert [line["drop"] for line in lines] == [ident(1)]
