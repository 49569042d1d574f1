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

from moto import backends
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from infra.local import (
    moto_clock,
    moto_forgets,
    moto_locks,
    moto_messages,
    moto_notifications,
    moto_streams,
    moto_tables,
)
from infra.local.faults import Faults, Trouble
from infra.local.moto_faults import Faulty
from infra.local.moto_front import Front

_FIRST: tuple[backends.SERVICE_NAMES, ...] = ("sqs", "dynamodb", "s3", "sns", "dynamodbstreams")
"""Loaded while the parent still reads the template."""


def main(descriptor: int, state: Sequence[str]) -> None:
    """Serve for ever."""
    trouble = Trouble()
    deeds: dict[str, Callable[[Any], Any]] = {
        "make-missing": _kept(Path(state[0])) if state else lambda _: None,
        "begin-faults": lambda faults: trouble.begin(Faults(**faults)),
        "end-faults": lambda _: trouble.end(),
        "happened": lambda _: trouble.happened,
    }
    moto_messages.disturb(trouble)
    moto_locks.lock()
    moto_clock.quicken()
    moto_notifications.complete()
    moto_tables.mend()
    moto_streams.forget_read()
    moto_forgets.forget()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    threading.Thread(target=_load_early, daemon=True).start()
    application = Front(Faulty(DomainDispatcherApplication(create_backend_app), trouble), deeds)
    make_server(
        "127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler, fd=descriptor
    ).serve_forever()


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
