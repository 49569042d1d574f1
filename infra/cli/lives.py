"""Releases and training jobs as tables that a person reads."""

from collections.abc import Iterable, Iterator, Mapping

from rich.table import Table
from rich.text import Text

from cloud.jobs import Kept
from infra.cli.saying import table
from infra.cli.tables import coloured, number
from vigil.flow.migrate import Progress
from vigil.learn.interval import Interval
from vigil.learn.pedigree import Pedigree
from vigil.learn.release import Life, Pointers, Stage
from vigil.learn.stages import Book

LIKE = {"active": "done", "canary": "rejected", "rejected": "quarantined", "rolled-back": "quarantined"}
"""Coloured as these states of drops are."""


BY_PRICES = "by the example prices in layers/vigil/learn/machines.toml: set yours"


def releases(books: Iterable[Book], progress: Mapping[str, Progress]) -> Table:
    """One line a release, and first the one that answers.

    progress  of each that is made anew what is kept
    """
    made = table("Releases", "model", "release", "stage", "measured", "gain", "since", "why")
    for book in books:
        if book.find(book.pointers.active) is None:
            named = book.pointers.active or "bundled"
            made.add_row(book.model, named, coloured("answers", "done"), "", "", "", "it ships with this")
        for one in sorted(book.standings, key=lambda one: one.life.since, reverse=True):
            life = one.life
            stage = _stage(life.stage, life.id, book.pointers)
            since = f"{life.since:%d %b %H:%M}"
            made.add_row(
                book.model,
                life.id,
                stage,
                _figure(one.metric),
                _figure(one.gain),
                since,
                _why(life, progress.get(life.id)),
            )
    return made


def history(book: Book) -> Table:
    """One line a step, with what the gates saw or who said so."""
    made = table(f"{book.model}: every step", "release", "step", "to", "at", "why")
    steps = [(one.life.id, move) for one in book.standings for move in one.life.history]
    for release, move in sorted(steps, key=lambda step: (step[1].at, step[0])):
        stage = coloured(move.stage, LIKE.get(move.stage, ""))
        made.add_row(release, move.step, stage, f"{move.at:%d %b %H:%M:%S}", "\n".join(move.reasons))
    return made


def forgotten(pedigrees: Iterable[Pedigree]) -> Iterator[str]:
    """Releases that learned from what they would not learn from any more."""
    for one in pedigrees:
        if one.forgotten:
            items = sum(mark.items for mark in one.forgotten)
            yield f"{one.id} learned from {items} pictures that are no longer in data set {one.data}"


def trainings(kept: Iterable[Kept]) -> Table:
    """One line a job: what it was expected to cost, and what it has cost."""
    columns = ("job", "state", ">expected", ">at most", ">cost", "release", "why")
    made = table(f"Training jobs, dollars {BY_PRICES}", *columns)
    for one in kept:
        dollars = (number(one.expected, 2), number(one.most, 2), number(one.usd, 4) if one.seconds else "")
        made.add_row(one.job.name, one.job.state, *dollars, one.release, one.note or one.job.text)
    return made


def _stage(stage: Stage, release: str, pointers: Pointers) -> Text:
    """Where it stands; of a candidate, for which share of the drops."""
    told: str = stage
    if release == pointers.candidate:
        told = f"{stage} {pointers.share or pointers.beside:.0%}"
    return coloured(told, LIKE.get(stage, ""))


def _why(life: Life, progress: Progress | None) -> str:
    """Why it came where it is; what passed gates says so in a word, `vigil models MODEL` with all figures."""
    if progress is not None and not progress.ready:
        return progress.told
    reasons = life.history[-1].reasons if life.history else ()
    if len(reasons) > 1 and life.history[-1].step == "pass":
        return f"passed {len(reasons)} gates"
    return "; ".join(reasons)


def _figure(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f"{interval.value:.3f} ({interval.low:.3f}-{interval.high:.3f})"
