"""What active releases show sends them back, whoever asks; asked twice, it is one step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tests.memory import NOON
from vigil.flow.releases import tend
from vigil.learn.gates import default_gates
from vigil.learn.interval import Interval
from vigil.learn.release import Life, Pointers
from vigil.learn.stages import Book, Change, Standing
from vigil.learn.trial import Trial
from vigil.learn.vitals import Expected, Vitals

GOOD = Interval(0.97, 0.95, 0.99, 300)
OLD = Standing(Life("digits", "a", "retired", NOON), GOOD)
NEW = Standing(Life("digits", "b", "active", NOON), GOOD)
RIVAL = Standing(Life("digits", "c", "shadow", NOON), GOOD)
ACTIVE = Pointers("b", former="a", expected=Expected(ms=20.0, unsure=0.1))
LATER = NOON + timedelta(minutes=5)


@dataclass
class Shelf:
    """Ports Lives, Shows and Watched."""

    kept: Book
    trials: list[Trial] = field(default_factory=list)
    stretches: list[Vitals] = field(default_factory=list)
    moves: int = 0

    def book(self, model: str) -> Book:
        return self.kept

    def move(self, book: Book, change: Change) -> None:
        lives = {life.id: life for life in change.lives}
        standings = (replace(one, life=lives.get(one.life.id, one.life)) for one in book.standings)
        self.kept = Book(book.model, change.pointers, book.revision + 1, tuple(standings))
        self.moves += 1

    def seen(self, model: str, release: str, since: datetime) -> Sequence[Trial]:
        return [trial for trial in self.trials if trial.release == release]

    def newest(self, model: str, release: str, since: datetime) -> Iterable[Vitals]:
        return self.stretches


def tended(shelf: Shelf) -> dict[str, str]:
    lives = tend("digits", shelf, shelf, shelf, default_gates(), now=LATER)
    return {life.id: life.stage for life in lives}


def broke(drop: str) -> Trial:
    return Trial("digits", "b", drop, False, True, False, 5.0, 0.0)


def test_an_active_release_that_breaks_goes_back_once_however_often_that_is_asked():
    shelf = Shelf(Book("digits", ACTIVE, 1, (OLD, NEW)), [broke(f"d{n}") for n in range(3)])

    first, second = tended(shelf), tended(shelf)

    assert first == {"b": "rolled-back", "a": "active"}
    assert (second, shelf.moves, shelf.kept.pointers) == ({}, 1, Pointers("a"))


def test_one_drop_that_it_breaks_on_again_and_again_is_one():
    shelf = Shelf(Book("digits", ACTIVE, 1, (OLD, NEW)), [broke("d1")] * 5)

    assert tended(shelf) == {}


def test_what_it_broke_on_beside_its_candidate_counts():
    beside = [Trial("digits", "c", f"d{n}", False, False, True, 5.0, 0.0) for n in range(3)]
    shelf = Shelf(Book("digits", replace(ACTIVE, candidate="c", beside=0.5), 1, (OLD, NEW, RIVAL)), beside)

    assert tended(shelf) == {"b": "rolled-back", "a": "active", "c": "rejected"}


def test_slow_drops_send_it_back_and_their_reason_is_on_record():
    shelf = Shelf(Book("digits", ACTIVE, 1, (OLD, NEW)), stretches=[Vitals(30, slow=30), Vitals(looks=500)])

    assert tended(shelf) == {"b": "rolled-back", "a": "active"}
    (gone,) = (one.life for one in shelf.kept.standings if one.life.id == "b")
    assert gone.history[-1].reasons == ("slow on 30 of 30 drops; 20 ms in canary",)


def test_a_release_without_a_former_one_is_not_even_looked_at():
    shelf = Shelf(Book("digits", Pointers("b"), 1, (NEW,)), [broke(f"d{n}") for n in range(3)])

    assert tended(shelf) == {}


def test_a_release_that_is_not_ready_stays_registered_and_one_that_is_goes_first():
    waiting = [Standing(Life("digits", name, "registered", NOON), GOOD) for name in ("d", "e")]
    shelf = Shelf(Book("digits", Pointers("b"), 1, (NEW, *waiting)))

    none = tend("digits", shelf, shelf, shelf, default_gates(), now=LATER, ready=lambda _: False)
    one = tend("digits", shelf, shelf, shelf, default_gates(), now=LATER, ready=lambda name: name == "e")

    assert (none, [(life.id, life.stage) for life in one]) == ((), [("e", "shadow")])
