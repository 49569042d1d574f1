"""The moto server's own process: serves on a socket that it inherits.

usage: python -m infra.local.moto_process <file descriptor> [<file for the state>]
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flask import Flask
from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from infra.local import (
    moto_clock,
    moto_forgets,
    moto_forms,
    moto_http,
    moto_lean,
    moto_locks,
    moto_messages,
    moto_metrics,
    moto_notifications,
    moto_queries,
    moto_streams,
    moto_tables,
)
from infra.local.faults import Faults, Trouble
from infra.local.monitoring.archive import Archive
from infra.local.moto_faults import Faulty
from infra.local.moto_front import Front

_FIRST: tuple[backends.SERVICE_NAMES, ...] = ("sqs", "dynamodb", "s3", "sns", "dynamodbstreams")
"""Loaded while the parent still reads the template."""


def main(descriptor: int, state: Sequence[str]) -> None:
    """Serve for ever."""
    trouble, archive = Trouble(), Archive()
    deeds: dict[str, Callable[[Any], Any]] = {
        "make-missing": _kept(Path(state[0])) if state else lambda _: None,
        "begin-faults": lambda faults: trouble.begin(Faults(**faults)),
        "end-faults": lambda _: trouble.end(),
        "happened": lambda _: trouble.happened,
        "measured": archive.take,
        "oldest-messages": lambda _: moto_messages.oldest_s(),
    }
    moto_messages.disturb(trouble)
    moto_locks.lock()
    moto_clock.quicken()
    moto_notifications.complete()
    moto_tables.mend()
    moto_queries.narrow()
    moto_lean.lean()
    moto_streams.forget_read()
    moto_forgets.forget()
    moto_forms.bind()
    moto_metrics.read(archive)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    threading.Thread(target=_load_early, daemon=True).start()
    moto = moto_lean.Straight(DomainDispatcherApplication(_service))
    moto_http.server(Front(Faulty(moto, trouble), deeds), descriptor).serve_forever()


def _service(name: backends.SERVICE_NAMES) -> Flask:
    """One that answers 500 where moto fails, and logs why, instead of leaving that to the server."""
    service = create_backend_app(name)
    service.debug = False
    return service


def _kept(state: Path) -> Callable[[Any], None]:
    """Loaded only where state is kept: a cloud in memory starts without it."""
    from infra.local.state.keeping import keep  # noqa: PLC0415

    make_missing = keep(state)
    return lambda _: make_missing()


def _load_early() -> None:
    for service in _FIRST:
        backends.get_backend(service)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
