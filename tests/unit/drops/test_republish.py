"""Outcomes told late rather than never."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from tests.fakes.memory import NOON, FakeClock
from vigil.drops.events import AlertRaised, DropCompleted, OutboundEvent, UnpublishedInterval, republish


class FakeTopic:
    """Ports Gaps and Crier; the crier takes nothing while `deaf`."""

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


def test_a_gap_is_told_whole_and_closed():
    square = FakeTopic(failing=False)

    assert republish(square, square, square, origin="/test", clock=FakeClock(NOON)) == 1
    assert (square.heard, square.open, square.lines) == (["d1.done"], [], [("d1", "republished")])


def test_while_the_topic_takes_nothing_the_gap_stays_open():
    square = FakeTopic(failing=True)

    assert republish(square, square, square, origin="/test", clock=FakeClock(NOON)) == 0
    assert len(square.open) == 1
