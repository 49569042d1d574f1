"""How a dead letter leaves its queue: first the ledger's line that says why, then the deed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from vigil.drops import Drop, Misfit, drop_id
from vigil.steady.letters import Letter, Redrive


class DeadLetters(Protocol):
    """One lane's dead-letter queue. All raise Transient."""

    def receive(self, most: int) -> Sequence[Letter]:
        """So many letters, hidden from others for a while."""

    def send_back(self, deed: Redrive) -> None:
        """Into its lane, one more redrive to its name; at least once."""

    def delete(self, letter: Letter) -> None:
        """For good."""


class Diary(Protocol):
    """The ledger's lines beside a drop's record."""

    def note(self, drop: str, *, deed: str, why: str, now: datetime) -> None:
        """What was done with a drop's message, and why."""


def send_back(deed: Redrive, letters: DeadLetters, diary: Diary, now: datetime) -> None:
    """Back to its lane; a crash in between leaves it in both, which the ledger knows for one drop."""
    note(deed.letter, deed.letter.drops, diary, deed="redriven", why=deed.why, now=now)
    letters.send_back(deed)
    letters.delete(deed.letter)


def put_away(
    letter: Letter, letters: DeadLetters, *, deed: str, why: str, diary: Diary, now: datetime
) -> None:
    """Out of its queue for good: every drop in it has its end."""
    note(letter, letter.drops, diary, deed=deed, why=why, now=now)
    letters.delete(letter)


def note(
    letter: Letter, drops: Sequence[Drop | Misfit], diary: Diary, *, deed: str, why: str, now: datetime
) -> None:
    """A line for each drop; what announces nothing has its line under the message's own id."""
    for drop in [drop.id for drop in drops] or [drop_id("message", letter.id)]:
        diary.note(drop, deed=deed, why=why, now=now)
