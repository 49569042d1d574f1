"""One gallery a vector space, all in force together: what is enrolled, for every release that is in use."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from vigil.faces.gallery import Gallery


@dataclass(frozen=True, slots=True, eq=False)
class Galleries:
    """A value, never changed in place; one version for all, so that they move at once or not at all.

    of       the gallery of each space
    keys     where each lies that is stored as it is here; one that has changed has none
    growing  spaces whose gallery does not hold everybody yet: nothing is matched with it
    """

    version: int = 0
    of: Mapping[str, Gallery] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    growing: frozenset[str] = frozenset()

    def inside(self, space: str) -> Gallery:
        """The gallery of a space; an empty one where there is none."""
        return self.of.get(space) or Gallery(space, version=self.version)

    def changed(self, change: Callable[[Gallery], Gallery]) -> "Galleries":
        """The next galleries: the same done to each."""
        return self._next({space: change(gallery) for space, gallery in self.of.items()}, {})

    def with_one(self, gallery: Gallery, *, whole: bool) -> "Galleries":
        """The next galleries, with this one in place of what its space had, and the others as they are."""
        kept = {space: key for space, key in self.keys.items() if space != gallery.embed}
        grown = replace(
            self, growing=self.growing - {gallery.embed} if whole else self.growing | {gallery.embed}
        )
        return grown._next({**self.of, gallery.embed: gallery}, kept)

    def only(self, spaces: Collection[str]) -> "Galleries":
        """The next galleries, without those of any other space."""
        kept = {space: gallery for space, gallery in self.of.items() if space in spaces}
        return self._next(kept, {space: self.keys[space] for space in kept if space in self.keys})

    def holds(self, person: str) -> bool:
        return any(gallery.person(person) is not None for gallery in self.of.values())

    def lacking(self, space: str) -> tuple[str, ...]:
        """Who is in some gallery, and not in this one, in order."""
        here = {person.id for person in self.inside(space).people}
        return tuple(person for person in self.everybody() if person not in here)

    def awaits(self, gallery: Gallery, person: str) -> bool:
        """Whether somebody is still to be carried over to a gallery, with all of their photos at once.

        With a newer photo of theirs alone in it, a migration would pass them over.
        """
        return gallery.embed in self.growing and gallery.person(person) is None and self.holds(person)

    def everybody(self) -> tuple[str, ...]:
        """Who is in any gallery, in order."""
        return tuple(sorted({person.id for gallery in self.of.values() for person in gallery.people}))

    def tags(self, person: str) -> frozenset[str]:
        """The same in every gallery that they are in."""
        found = (gallery.person(person) for gallery in self.of.values())
        return next((one.tags for one in found if one is not None), frozenset())

    def _next(self, of: Mapping[str, Gallery], keys: Mapping[str, str]) -> "Galleries":
        version = self.version + 1
        numbered = {
            space: gallery if space in keys else replace(gallery, version=version)
            for space, gallery in of.items()
        }
        return Galleries(version, numbered, keys, self.growing & set(of))
