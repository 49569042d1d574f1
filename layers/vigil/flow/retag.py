"""Tags of somebody enrolled, such as a watch list, on and off: profile and gallery change together."""

from vigil.drops import Object
from vigil.flow.enrol import TRIES, Change, Desk, G, Overtaken, Person, T, known

NO_PHOTOS: tuple[Object, ...] = ()


def retag(ident: str, *, put: frozenset[str], drop: frozenset[str], desk: Desk[G, T]) -> Person:
    """The person with their tags as they are now. Raises NobodyThere, Overtaken."""
    for tries_left in reversed(range(TRIES)):
        try:
            person = _attempt(ident, put, drop, desk)
        except Overtaken:
            if not tries_left:
                raise
        else:
            break
    return person


def _attempt(ident: str, put: frozenset[str], drop: frozenset[str], desk: Desk[G, T]) -> Person:
    gallery = desk.gallery()
    before = known(desk.people, ident)
    person = Person(ident, before.name, (before.tags | put) - drop)
    if person.tags != before.tags:
        changed = desk.dress(gallery, ident, person.tags)
        desk.people.commit(
            Change(before, person), (), base=gallery.version, gallery=changed, now=desk.clock()
        )
    return person
