"""The moto server's own process: serves on a socket that it inherits.

usage: python -m infra.local.moto_process <file descriptor>
"""

from __future__ import annotations

import logging
import sys
import threading

from moto import backends
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from infra.local import moto_clock, moto_locks, moto_notifications, moto_tables

_FIRST: tuple[backends.SERVICE_NAMES, ...] = ("sqs", "dynamodb", "s3", "sns", "dynamodbstreams")
"""Loaded while the parent still reads the template."""


def main(descriptor: int) -> None:
    """Serve for ever."""
    moto_locks.lock()
    moto_clock.quicken()
    moto_notifications.complete()
    moto_tables.mend()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    threading.Thread(target=_load_early, daemon=True).start()
    application = DomainDispatcherApplication(create_backend_app)
    make_server(
        "127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler, fd=descriptor
    ).serve_forever()


def _load_early() -> None:
    for service in _FIRST:
        backends.get_backend(service)


if __name__ == "__main__":
    main(int(sys.argv[1]))
