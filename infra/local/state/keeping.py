"""Puts all five services of moto on one store.

Each module puts itself between moto and one of its services: what a call changed is in the store before
the call is answered, and what is in the store is put back when the resource is made again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from infra.local.state import messages, objects, rows, seals, subscriptions
from infra.local.state.store import Store


def keep(file: Path) -> Callable[[], None]:
    """From here on, in moto's process; before its locks, which must hold around the writing too.

    Returns what makes again all that was there before and that no template speaks of.
    """
    store = Store(file)
    objects.keep(store)
    rows.keep(store)
    messages.keep(store)
    subscriptions.keep(store)
    seals.keep(store)
    return partial(messages.make_missing, store)
