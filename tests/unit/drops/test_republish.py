"""Events that could not be published are published later."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.fakes.memory import NOON, FakeClock
from vigil.drops.events import (
    REPUBLISHED_PAGE,
    DropCompleted,
    OutboundEvent,
    UnpublishedInterval,
    UnpublishedReport,
    UnpublishedService,
)
from vigil.errors import RefusedRequest, Transient


class FakeTopic:
    """Ports UnpublishedQueue and EventPublisher; nothing is published while `deaf`."""

    def __init__(self, *, failing: bool) -> None:
        self.deaf, self.open, self.heard = failing, [UnpublishedInterval(NOON, NOON, "r1")], list[str]()
        self.lines: list[tuple[str, str]] = []
        self.drops = 1

    def receive(self) -> Sequence[UnpublishedInterval]:
        return list(self.open)

    def facts_in(self, interval: UnpublishedInterval) -> Iterator[tuple[datetime, Any]]:
        for number in range(self.drops):
            at = NOON + timedelta(seconds=number)
            if at >= (interval.position or NOON):
                yield at, DropCompleted(f"d{number + 1}", "done", "faces", "door", "", "r1", 1, 0, at, {})

    def save_position(self, interval: UnpublishedInterval, position: datetime) -> None:
        self.open = [replace(one, position=position) if one == interval else one for one in self.open]

    def add_note(self, drop: str, *, action: str, reason: str, now: datetime) -> None:
        assert self.open, "the line comes before the deed"
        self.lines.append((drop, action))

    def delete(self, interval: UnpublishedInterval) -> None:
        self.open.remove(interval)

    def publish(self, events: Sequence[tuple[str, OutboundEvent]]) -> str:
        if self.deaf:
            return events[0][0]
        self.heard += [str(one.event["id"]) for _, one in events]
        return ""


def run(square: FakeTopic, has_time: bool = True) -> UnpublishedReport:
    return UnpublishedService(
        square, square, square, origin="/test", clock=FakeClock(NOON), has_time=lambda: has_time
    ).run()


def test_all_events_of_a_period_are_published_and_it_is_deleted():
    square = FakeTopic(failing=False)

    assert run(square) == UnpublishedReport(1, 0)
    assert (square.heard, square.open, square.lines) == (["d1.done"], [], [("d1", "republished")])


def test_a_period_stays_in_the_queue_while_nothing_can_be_published():
    square = FakeTopic(failing=True)

    assert run(square) == UnpublishedReport(0, 1)
    assert len(square.open) == 1


@pytest.mark.parametrize(
    "failure",
    [Transient("away", dependency="topic", operation="publish"), RefusedRequest("publish: too long")],
)
def test_a_period_that_fails_stops_no_other(failure: Exception):
    class FailingFirst(FakeTopic):
        def facts_in(self, interval: UnpublishedInterval) -> Iterator[tuple[datetime, Any]]:
            if interval.receipt == "r1":
                raise failure
            return super().facts_in(interval)

    square = FailingFirst(failing=False)
    square.open.append(UnpublishedInterval(NOON, NOON + timedelta(minutes=1), "r2"))

    report = run(square)

    assert report == UnpublishedReport(1, 1)
    assert [one.receipt for one in square.open] == ["r1"]


def test_a_period_with_many_events_is_published_over_several_runs_from_where_the_last_one_ended():
    square = FakeTopic(failing=False)
    square.drops = 3 * REPUBLISHED_PAGE

    runs = 1
    while run(square, has_time=False).unpublished:
        runs += 1

    assert runs == 4
    assert set(square.heard) == {f"d{number + 1}.done" for number in range(square.drops)}
    assert len(square.heard) < square.drops + 10
    assert square.open == []
