"""A walk through the bucket, page by page, and back-filling."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tests.memory import NOON, Hands
from vigil.drops import Envelope, Object, read
from vigil.flow.reconcile import Aisles, Walk, back_fill, walk
from vigil.steady.reconcile import Census, Listed, as_drop
from vigil.steady.record import Record

OLD = NOON - timedelta(days=1)
OBJECTS = [Listed(Object("photos", f"live/faces/door/{n}.jpg", "v1"), OLD) for n in range(5)]
ASTRAY = Listed(Object("photos", "live/astray.jpg", "v1"), OLD)


@dataclass
class House:
    """Every port: pages of two objects, records of those that are `done`, and the bulk lane."""

    objects: list[Listed] = field(default_factory=lambda: list(OBJECTS))
    done: set[str] = field(default_factory=set)
    sent: list[str] = field(default_factory=list)
    pages: int = 99

    def page(self, cursor: str) -> tuple[Sequence[Listed], str]:
        begin = int(cursor or 0)
        return self.objects[begin : begin + 2], str(begin + 2) if begin + 2 < len(self.objects) else ""

    def read(self, drops: Collection[str]) -> Mapping[str, Record]:
        return {drop: Record(drop, "done", 1, NOON) for drop in self.done & set(drops)}

    def send(self, messages: Sequence[str]) -> None:
        self.sent += messages

    def in_time(self) -> bool:
        self.pages -= 1
        return self.pages >= 0

    def aisles(self) -> Aisles:
        return Aisles(self, self, self, Hands(), self.in_time)

    def settle(self, listed: Listed, model: str | None = None) -> None:
        self.done.add(as_drop(listed, model)[0].id)


def test_what_has_no_end_is_announced_and_the_whole_is_one_figure():
    house = House()
    for listed in OBJECTS[:4]:
        house.settle(listed)

    ended = walk(Walk(), house.aisles(), most=100)

    assert ended == Walk("", Census(), Census(5, 4, 0, {"unannounced": 1}), 1)
    (message,) = house.sent
    assert read(Envelope("m", message, NOON), "photos") == [as_drop(OBJECTS[4])[0]]


def test_a_walk_goes_on_where_its_time_was_over():
    house = House(pages=1)

    first = walk(Walk(), house.aisles(), most=100)
    house.pages = 99
    second = walk(first, house.aisles(), most=100)

    assert (first.cursor, first.whole, len(house.sent)) == ("2", None, 5)
    assert second.whole == Census(5, 0, 0, {"unannounced": 5})


def test_a_walk_stops_when_it_has_announced_enough():
    house = House()

    stopped = walk(Walk(), house.aisles(), most=1)

    assert (stopped.cursor, stopped.announced) == ("2", 2)


def test_the_last_whole_figure_stays_while_the_next_walk_is_on_its_way():
    house = House(pages=1)
    before = Census(9, 9)

    assert walk(Walk(whole=before), house.aisles(), most=100).whole == before


def test_another_model_is_shown_what_it_has_not_seen_and_no_key_without_a_route():
    house = House(objects=[*OBJECTS, ASTRAY])
    house.settle(OBJECTS[0], "objects")

    ended = back_fill("", "objects", house.aisles(), most=100)

    assert (ended.announced, ended.cursor) == (4, "")
    assert all('"model": "objects"' in message for message in house.sent)
