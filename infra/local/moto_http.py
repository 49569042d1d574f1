"""moto over HTTP/1.1: a connection serves many calls, and an answer leaves in one write.

werkzeug's own server ends the connection with each answer: every call then costs a connection and a thread.
"""

from __future__ import annotations

import io
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from infra.local.moto_front import Application


def server(application: Application, descriptor: int | None) -> BaseWSGIServer:
    """On a socket that somebody else opened, or on one of its own."""
    wsgi: Any = application
    return make_server("127.0.0.1", 0, wsgi, threaded=True, request_handler=_KeepsAlive, fd=descriptor)


class _KeepsAlive(MotoRequestHandler):
    """Reads all, asks, writes all: nothing of a request is left in front of the next one."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_expect_100(self) -> bool:
        """Answer at once: S3's clients wait a second for this before they send what is to be put."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def run_wsgi(self) -> None:
        """Answer one request."""
        environ: Any = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(_body(environ))
        told: list[Any] = []
        application: Any = self.server.app
        body = b"".join(application(environ, lambda *said: told.extend(said[:2])))
        status, headers = told
        self._answer(status, headers, body)

    def _answer(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, words = status.partition(" ")
        self.send_response_only(int(code), words)
        self.send_header("Date", self.date_time_string())
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()


def _body(environ: dict[str, Any]) -> bytes:
    """Chunks that werkzeug has put together, or as much as is announced."""
    whole = environ.get("wsgi.input_terminated")
    most = -1 if whole else int(environ.get("CONTENT_LENGTH") or 0)
    return bytes(environ["wsgi.input"].read(most))
