"""A person's word about a release, in place of the gates': the same steps, with who said so and why."""

from datetime import datetime

from vigil.learn.release import IllegalMove, Life, advance, promoted, withdrawn
from vigil.learn.stages import Book, Change, Standing


def put_forward(book: Book, release: str, *, now: datetime, why: str) -> Change:
    """The candidate answers from now on, whatever it has shown so far. Raises IllegalMove."""
    life = _tried(book, release).life
    while life.stage != "active":
        life = advance(life, "pass", now=now, reasons=(why,))
    before = book.find(book.pointers.active)
    lives = (life,) if before is None else (life, advance(before.life, "replace", now=now, reasons=(why,)))
    return Change(promoted(book.pointers), lives)


def turned_down(book: Book, release: str, *, now: datetime, why: str) -> Change:
    """The candidate, or one that waits to be tried, goes no further. Raises IllegalMove."""
    standing = book.find(release)
    if standing is not None and standing.life.stage == "registered":
        return Change(book.pointers, (advance(standing.life, "reject", now=now, reasons=(why,)),))
    life = _tried(book, release).life
    return Change(withdrawn(book.pointers), (_withdrawn(life, now, why),))


def _tried(book: Book, release: str) -> Standing:
    standing = book.find(release)
    if standing is None or release != book.pointers.candidate:
        raise IllegalMove(f"{release} of {book.model} is not being tried")
    return standing


def _withdrawn(life: Life, now: datetime, why: str) -> Life:
    """What answered drops for real is rolled back; what only looked on is rejected."""
    return advance(life, "roll-back" if life.stage == "canary" else "reject", now=now, reasons=(why,))
