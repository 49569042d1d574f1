"""The server that moto answers through."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from infra.local.moto_http import server

_PUT = b"PUT / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"


def _echo(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
    start("200 OK", [])
    return [environ["wsgi.input"].read()]


def test_whoever_asks_before_sending_is_answered_before_sending():
    http = server(_echo, None)
    threading.Thread(target=http.serve_forever, daemon=True).start()

    with socket.create_connection(("127.0.0.1", http.port), timeout=5) as line:
        line.sendall(_PUT)
        told = line.recv(1000)
        line.sendall(b"photo")
        answer = line.recv(1000)
    http.shutdown()

    assert told.startswith(b"HTTP/1.1 100")
    assert answer.endswith(b"photo")
