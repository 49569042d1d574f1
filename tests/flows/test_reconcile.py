"""A walk through the bucket, page by page, and back-filling."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tests.memory import NOON, Hands
from vigil.drops import Envelope, Object, read
from vigil.flow.reconcile import FULL, Aisles, Walk, back_fill, walk
from vigil.steady.reconcile import Census, Listed, Told, as_drop
from vigil.steady.record import Record

OLD = NOON - timedelta(days=1)
OBJECTS = [Listed(Object("photos", f"live/faces/door/{n}.jpg", "v1"), OLD) for n in range(5)]
ASTRAY = Listed(Object("photos", "live/astray.jpg", "v1"), OLD)


@dataclass
class House:
    """Every port: pages of two objects, records of those that are `done`, and the bulk lane."""

    objects: list[Listed] = field(default_factory=lambda: list(OBJECTS))
    done: set[str] = field(default_factory=set)
    claimed: Mapping[str, timedelta] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    noted: dict[str, Told] = field(default_factory=dict)
    backlog: int = 0
    pages: int = 99
    name: str = ""
    gone: set[str] = field(default_factory=set)

    def edition(self) -> str:
        return self.name

    def holds(self, item: Object) -> bool:
        return item.key not in self.gone

    def page(self, cursor: str) -> tuple[Sequence[Listed], str]:
        begin = int(cursor or 0)
        return self.objects[begin : begin + 2], str(begin + 2) if begin + 2 < len(self.objects) else ""

    def read(self, drops: Collection[str]) -> Mapping[str, Record]:
        done = {drop: Record(drop, "done", 1, NOON) for drop in self.done & set(drops)}
        ago = self.claimed.items()
        return done | {drop: Record(drop, "claimed", 1, NOON - time) for drop, time in ago if drop in drops}

    def send(self, messages: Sequence[str]) -> None:
        self.sent += messages

    def waiting(self) -> int:
        return self.backlog

    def told(self, drops: Collection[str]) -> Mapping[str, Told]:
        return {drop: told for drop, told in self.noted.items() if drop in drops}

    def note(self, told: Mapping[str, Told]) -> None:
        self.noted |= told

    def in_time(self) -> bool:
        self.pages -= 1
        return self.pages >= 0

    def aisles(self, after: timedelta = timedelta(0)) -> Aisles:
        return Aisles(self, self, self, self, Hands(NOON + after), self.in_time)

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


def test_what_was_announced_is_given_longer_and_longer_before_it_is_announced_again():
    """A lane that is hours behind must not be sent all that waits in it once more every five minutes."""
    house = House(pages=10_000)

    sent = []
    for minutes in range(0, 24 * 60, 5):
        walk(Walk(), house.aisles(timedelta(minutes=minutes)), most=100)
        sent.append(len(house.sent) // len(OBJECTS))

    assert sent[-1] == 5
    assert [sent.index(times) * 5 / 60 for times in range(1, 6)] == [0, 1, 3, 7, 15]


def test_while_the_bulk_lane_is_busy_its_own_objects_are_not_missed_and_others_are():
    bulk = Listed(Object("photos", "bulk/faces/door/1.jpg", "v1"), OLD)
    house = House(objects=[OBJECTS[0], bulk], backlog=FULL + 1)

    busy = walk(Walk(), house.aisles(), most=100)
    house.backlog = 0
    free = walk(Walk(), house.aisles(), most=100)

    assert busy.whole == free.whole == Census(2, 0, 0, {"unannounced": 2})
    assert [busy.announced, free.announced] == [1, 1]
    assert "bulk%2Ffaces%2Fdoor%2F1.jpg" in house.sent[1]


def test_a_back_fill_takes_up_what_was_begun_and_left_but_not_what_is_being_worked_on():
    left, at_work = (as_drop(listed, "objects")[0].id for listed in OBJECTS[:2])
    house = House(objects=OBJECTS[:2], claimed={left: timedelta(hours=2), at_work: timedelta(minutes=-1)})

    ended = back_fill("", "objects", house.aisles(), most=100)

    assert ended.announced == 1
    assert OBJECTS[0].item.key in house.sent[0]


def test_an_edition_in_which_all_had_its_end_is_not_walked_again():
    house = House(name="monday")
    for listed in OBJECTS:
        house.settle(listed)
    first = walk(Walk(), house.aisles(), most=100)
    looked = house.pages

    assert walk(first, house.aisles(), most=100) == first
    assert house.pages == looked
    house.name = "tuesday"
    assert walk(first, house.aisles(), most=100).edition == "tuesday"
    assert house.pages < looked


def test_an_edition_in_which_something_was_missing_is_walked_until_it_is_not():
    house = House(name="monday")
    first = walk(Walk(), house.aisles(), most=100)
    for listed in OBJECTS:
        house.settle(listed)

    second = walk(first, house.aisles(), most=100)

    assert (first.complete, second.complete) == (False, True)


def test_what_was_erased_since_the_edition_is_neither_missed_nor_counted():
    house = House(name="monday", gone={OBJECTS[0].item.key})
    for listed in OBJECTS[1:]:
        house.settle(listed)

    ended = walk(Walk(), house.aisles(), most=100)

    assert (ended.announced, ended.whole) == (0, Census(4, 4))
