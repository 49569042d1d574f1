"""Events that could not be published are published later."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import pytest

from tests.fakes.memory import NOON, FakeClock
from vigil.drops.events import (
    AlertRaised,
    DropCompleted,
    OutboundEvent,
    UnpublishedInterval,
    UnpublishedReport,
    republish,
)
from vigil.errors import RefusedRequest, Transient


class FakeTopic:
    """Ports UnpublishedQueue and EventPublisher; nothing is published while `deaf`."""

    def __init__(self, *, failing: bool) -> None:
        self.deaf, self.open, self.heard = failing, [UnpublishedInterval(NOON, NOON, "r1")], list[str]()
        self.lines: list[tuple[str, str]] = []

    def receive(self) -> Sequence[UnpublishedInterval]:
        return list(self.open)

    def facts_in(self, interval: UnpublishedInterval) -> Iterable[DropCompleted | AlertRaised]:
        return [DropCompleted("d1", "done", "faces", "door", "", "r1", 1, 0, NOON, {})]

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


def test_all_events_of_a_period_are_published_and_it_is_deleted():
    square = FakeTopic(failing=False)

    assert republish(square, square, square, origin="/test", clock=FakeClock(NOON)) == UnpublishedReport(1, 0)
    assert (square.heard, square.open, square.lines) == (["d1.done"], [], [("d1", "republished")])


def test_a_period_stays_in_the_queue_while_nothing_can_be_published():
    square = FakeTopic(failing=True)

    assert republish(square, square, square, origin="/test", clock=FakeClock(NOON)) == UnpublishedReport(0, 1)
    assert len(square.open) == 1


@pytest.mark.parametrize(
    "failure",
    [Transient("away", dependency="topic", operation="publish"), RefusedRequest("publish: too long")],
)
def test_a_period_that_fails_stops_no_other(failure: Exception):
    class FailingFirst(FakeTopic):
        def facts_in(self, interval: UnpublishedInterval) -> Iterable[DropCompleted | AlertRaised]:
            if interval.receipt == "r1":
                raise failure
            return super().facts_in(interval)

    square = FailingFirst(failing=False)
    square.open.append(UnpublishedInterval(NOON, NOON + timedelta(minutes=1), "r2"))

    report = republish(square, square, square, origin="/test", clock=FakeClock(NOON))

    assert report == UnpublishedReport(1, 1)
    assert [one.receipt for one in square.open] == ["r1"]
