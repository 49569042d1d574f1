"""HTTP servers on local ports, without polling and without delayed packets."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from infra.local.process import ThreadSupervisor

LOCAL_HOSTS = {"127.0.0.1", "localhost"}


def is_foreign_host(host: str | None) -> bool:
    """Whether a request names another host, as that of a page whose name leads to this machine does."""
    return host is not None and urlsplit(f"//{host}").hostname not in LOCAL_HOSTS


class RequestHandler(BaseHTTPRequestHandler):
    """Sends each response in one write, and answers requests to this machine's own names only."""

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        if is_foreign_host(self.headers.get("Host")):
            self.send_error(421)
            return False
        return True

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing; invocations have their own log."""

    def read_body(self) -> bytes:
        """Read the request body."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(iter(self._read_chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _read_chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk

    def send_answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole response."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_body(body)

    def send_body(self, body: bytes) -> None:
        """Send the rest of a response whose status and headers were sent."""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()


class HttpServer(ThreadingHTTPServer):
    """A server on 127.0.0.1; handlers reach it as `self.server`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, handler: type[RequestHandler], name: str, supervisor: ThreadSupervisor, *, port: int = 0
    ) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self._name = name
        self._supervisor = supervisor
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(None,), name=name, daemon=True)

    def start(self) -> None:
        """Accept connections."""
        self._thread.start()

    def stop(self) -> None:
        """Accept no more connections; open ones end with their client."""
        if self._thread.is_alive():
            self._shut_down()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - http.server's names
        """Ignore a lost connection; record any other exception as a crash."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self._supervisor.record_crash(self._name, error)

    def server_close(self) -> None:
        """Close the socket without waiting for handler threads, which end with their clients."""
        self.socket.close()

    def _shut_down(self) -> None:
        """Call `shutdown` and connect, because only a connection wakes a server that does not poll."""
        closing = threading.Thread(target=self.shutdown, daemon=True)
        closing.start()
        while closing.is_alive():
            with socket.socket() as connection:
                connection.connect_ex(("127.0.0.1", self.server_port))
            closing.join(0.02)
