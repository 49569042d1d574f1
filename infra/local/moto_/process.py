"""The process of the moto server: patched moto over HTTP/1.1 on an inherited socket.

usage: python -m infra.local.moto_.process <file descriptor> [<state file>]

werkzeug's handler closes the connection after each response, so that every call costs a connection and a
thread; the handler here keeps connections open and sends each response in one write.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from infra.local.cloudwatch.metric_data import MetricArchive, patch_metric_data
from infra.local.faults.aws_calls import FaultyApplication
from infra.local.faults.messages import oldest_message_ages_s, patch_message_faults
from infra.local.faults.model import FaultInjector, Faults
from infra.local.http_server import LOCAL_HOSTS, is_foreign_host
from infra.local.moto_.call_log import CallLog
from infra.local.moto_.patches.dynamodb_writes import patch_writes
from infra.local.moto_.patches.fair_queues import patch_fair_queues
from infra.local.moto_.patches.locking import patch_locking
from infra.local.moto_.patches.memory_growth import patch_memory_growth
from infra.local.moto_.patches.notification_fields import patch_notification_fields
from infra.local.moto_.patches.performance import DirectDispatch, patch_performance
from infra.local.moto_.patches.post_policy import patch_post_policy
from infra.local.moto_.patches.query_by_key import patch_queries
from infra.local.moto_.patches.stream_trimming import patch_stream_trimming
from infra.local.moto_.server import Application, ControlApplication


def create_http_server(application: Application, descriptor: int | None) -> BaseWSGIServer:
    """Create a server on an inherited socket, or on a new one."""
    wsgi: Any = application
    return make_server("127.0.0.1", 0, wsgi, threaded=True, request_handler=_KeepAliveHandler, fd=descriptor)


class _KeepAliveHandler(MotoRequestHandler):
    """Reads the whole request before it answers, because the next one follows on the same connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_expect_100(self) -> bool:
        """Answer `Expect: 100-continue` at once; S3 clients wait a second for it before they send."""
        accepted = super().handle_expect_100()
        self.wfile.flush()
        return accepted

    def run_wsgi(self) -> None:
        """Answer one request; one to a foreign host, or by a foreign page, comes from a browser."""
        origin = urlsplit(self.headers.get("Origin", "")).hostname
        if is_foreign_host(self.headers.get("Host")) or origin not in {None, *LOCAL_HOSTS}:
            self.close_connection = True
            self._send_response("421 Misdirected Request", [], b"")
            return
        environ: Any = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(_read_request_body(environ))
        response: list[Any] = []
        application: Any = self.server.app
        body = b"".join(application(environ, lambda *response_head: response.extend(response_head[:2])))
        status, headers = response
        self._send_response(status, headers, body)

    def _send_response(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response_only(int(code), reason)
        self.send_header("Date", self.date_time_string())
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()


def _read_request_body(environ: dict[str, Any]) -> bytes:
    """Read the body: the chunks that werkzeug joins, or Content-Length bytes."""
    terminated = environ.get("wsgi.input_terminated")
    length = -1 if terminated else int(environ.get("CONTENT_LENGTH") or 0)
    return bytes(environ["wsgi.input"].read(length))


_PRELOADED_SERVICES: tuple[backends.SERVICE_NAMES, ...] = ("sqs", "dynamodb", "s3", "sns", "dynamodbstreams")
"""Loaded in the background while the parent reads the template."""


def main(descriptor: int, state_files: Sequence[str]) -> None:
    """Install the patches and serve until the process is killed."""
    fault_injector, archive = FaultInjector(), MetricArchive()
    call_log = CallLog(DirectDispatch(DomainDispatcherApplication(_create_service)))
    commands: dict[str, Callable[[Any], Any]] = {
        "recreate-client-queues": _install_persistence(Path(state_files[0]))
        if state_files
        else lambda _: None,
        "begin-faults": lambda faults: fault_injector.begin(Faults(**faults)),
        "end-faults": lambda _: fault_injector.end(),
        "fault-counts": lambda _: fault_injector.counts,
        "begin-call-log": call_log.begin,
        "end-call-log": call_log.end,
        "add-measurements": archive.add_measurements,
        "oldest-message-ages": lambda _: oldest_message_ages_s(),
    }
    patch_message_faults(fault_injector)
    patch_fair_queues()
    patch_locking()
    patch_notification_fields()
    patch_writes()
    patch_queries()
    patch_performance()
    patch_stream_trimming()
    patch_memory_growth()
    patch_post_policy()
    patch_metric_data(archive)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    threading.Thread(target=_preload_services, daemon=True).start()
    application = FaultyApplication(call_log, fault_injector)
    create_http_server(ControlApplication(application, commands), descriptor).serve_forever()


def _create_service(name: backends.SERVICE_NAMES) -> Flask:
    """Create a service that logs an exception of moto and answers 500."""
    service = create_backend_app(name)
    service.debug = False
    return service


def _install_persistence(state_file: Path) -> Callable[[Any], None]:
    """Import persistence only if there is a state file, so that a cloud without one starts faster."""
    from infra.local.persistence.install import install_persistence  # noqa: PLC0415

    recreate_queues = install_persistence(state_file)
    return lambda _: recreate_queues()


def _preload_services() -> None:
    for service in _PRELOADED_SERVICES:
        backends.get_backend(service)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
