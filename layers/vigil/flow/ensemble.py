"""The releases of a model that are in use, opened: the one that answers, the next, and the one before."""

from collections.abc import Callable

from vigil.errors import BrokenRelease, UnknownModel
from vigil.learn.stages import Book
from vigil.seeing import Model, Models


class Ensemble:
    """Whoever keeps what a model puts out keeps it for each of these.

    book      of the model's releases, read consistently; raises Transient
    opened    fetches, proves and opens a release by its id; raises BrokenRelease, Transient
    """

    def __init__(
        self, name: str, *, bundled: Models, book: Callable[[], Book], opened: Callable[[str], Model]
    ) -> None:
        self._name, self._bundled, self._book, self._opened = name, bundled, book, opened
        self._open: dict[str, Model] = {}

    def ids(self) -> tuple[str, ...]:
        """Active, candidate or the next in line, and the one to go back to. Raises Transient."""
        book = self._book()
        pointers = book.pointers
        waiting = [one.life for one in book.standings if one.life.stage == "registered"]
        following = min(waiting, key=lambda life: life.since).id if waiting else None
        found = (pointers.active or self._shipped(), pointers.candidate or following, pointers.former)
        used = tuple(dict.fromkeys(release for release in found if release is not None))
        self._open = {release: model for release, model in self._open.items() if release in used}
        return used

    def active(self) -> Model:
        """The one that answers. Raises BrokenRelease, Transient."""
        return self.get(self.ids()[0])

    def all(self) -> tuple[Model, ...]:
        """The active one first; of the others, those that can be opened at all. Raises Transient."""
        first, *others = self.ids()
        return (self.get(first), *(one for one in map(self._try, others) if one is not None))

    def get(self, release: str) -> Model:
        """One of them by its id. Raises BrokenRelease, Transient."""
        if release not in self._open:
            self._open[release] = self._found(release)
        return self._open[release]

    def _try(self, release: str) -> Model | None:
        try:
            return self.get(release)
        except BrokenRelease:
            return None

    def _shipped(self) -> str:
        """As long as there are no pointers, the release that ships with the functions answers."""
        return self._bundled.get(self._name).release

    def _found(self, release: str) -> Model:
        try:
            bundled = self._bundled.get(self._name)
        except UnknownModel:
            return self._opened(release)
        return bundled if bundled.release == release else self._opened(release)
