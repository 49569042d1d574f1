"""Events that could not be published are published later."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from tests.fakes.memory import NOON, FakeClock
from vigil.drops.events import AlertRaised, DropCompleted, OutboundEvent, UnpublishedInterval, republish


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

    assert republish(square, square, square, origin="/test", clock=FakeClock(NOON)) == 1
    assert (square.heard, square.open, square.lines) == (["d1.done"], [], [("d1", "republished")])


def test_a_period_stays_in_the_queue_while_nothing_can_be_published():
    square = FakeTopic(failing=True)

    assert republish(square, square, square, origin="/test", clock=FakeClock(NOON)) == 0
    assert len(square.open) == 1
