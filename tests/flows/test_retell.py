"""Outcomes told late rather than never."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from tests.memory import NOON, Hands
from vigil.flow.announce import Announcement, Ended, Raised
from vigil.flow.retell import Gap, retell


class Square:
    """Ports Gaps and Crier; the crier takes nothing while `deaf`."""

    def __init__(self, *, deaf: bool) -> None:
        self.deaf, self.open, self.heard = deaf, [Gap(NOON, NOON, "r1")], list[str]()
        self.lines: list[tuple[str, str]] = []

    def receive(self) -> Sequence[Gap]:
        return list(self.open)

    def facts(self, gap: Gap) -> Iterable[Ended | Raised]:
        return [Ended("d1", "done", "faces", "door", "", "r1", 1, 0, NOON, {})]

    def note(self, drop: str, *, deed: str, why: str, now: datetime) -> None:
        assert self.open, "the line comes before the deed"
        self.lines.append((drop, deed))

    def close(self, gap: Gap) -> None:
        self.open.remove(gap)

    def tell(self, announcements: Sequence[tuple[str, Announcement]]) -> str:
        if self.deaf:
            return announcements[0][0]
        self.heard += [str(one.event["id"]) for _, one in announcements]
        return ""


def test_a_gap_is_told_whole_and_closed():
    square = Square(deaf=False)

    assert retell(square, square, square, origin="/test", clock=Hands(NOON)) == 1
    assert (square.heard, square.open, square.lines) == (["d1.done"], [], [("d1", "told-again")])


def test_while_the_topic_takes_nothing_the_gap_stays_open():
    square = Square(deaf=True)

    assert retell(square, square, square, origin="/test", clock=Hands(NOON)) == 0
    assert len(square.open) == 1
