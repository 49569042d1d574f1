"""Outcomes told late rather than never."""

from collections.abc import Iterable, Sequence

from tests.memory import NOON
from vigil.flow.announce import Announcement, Ended, Raised
from vigil.flow.retell import Gap, retell


class Square:
    """Ports Gaps and Crier; the crier takes nothing while `deaf`."""

    def __init__(self, *, deaf: bool) -> None:
        self.deaf, self.open, self.heard = deaf, [Gap(NOON, NOON, "r1")], list[str]()

    def receive(self) -> Sequence[Gap]:
        return list(self.open)

    def facts(self, gap: Gap) -> Iterable[Ended | Raised]:
        return [Ended("d1", "done", "faces", "door", "", "r1", 1, 0, NOON, {})]

    def close(self, gap: Gap) -> None:
        self.open.remove(gap)

    def tell(self, announcements: Sequence[tuple[str, Announcement]]) -> str:
        if self.deaf:
            return announcements[0][0]
        self.heard += [str(one.event["id"]) for _, one in announcements]
        return ""


def test_a_gap_is_told_whole_and_closed():
    square = Square(deaf=False)

    assert retell(square, square, origin="/test") == 1
    assert (square.heard, square.open) == (["d1.done"], [])


def test_while_the_topic_takes_nothing_the_gap_stays_open():
    square = Square(deaf=True)

    assert retell(square, square, origin="/test") == 0
    assert len(square.open) == 1
