"""The Python client's own errors: callers need to know no other library's."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from vigil_client import ApiUnreachable, Problem, Vigil
from vigil_client.transport import Transport


class WebPage(BaseHTTPRequestHandler):
    """Answers like a web server that knows nothing of the API."""

    def do_GET(self) -> None:
        status = 404 if "people" in self.path else 200
        self.send_response(status)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def web_page() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), WebPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no.invalid"])
def test_an_api_that_does_not_answer_is_an_error_of_the_client(url: str):
    with pytest.raises(ApiUnreachable, match="does not answer"):
        Vigil(url, "token", retries=0).get_status()


def test_a_web_page_instead_of_the_api_is_an_error_of_the_client(web_page: str):
    api = Vigil(web_page, "token", retries=0)

    with pytest.raises(ApiUnreachable, match="address of the API"):
        api.get_status()
    with pytest.raises(Problem, match="404"):
        api.get_person("p-0123456789ab")


def test_what_is_no_address_is_refused_at_once():
    with pytest.raises(ApiUnreachable, match="'door-3' is no address"):
        Vigil("door-3", "token")


class Bucket(BaseHTTPRequestHandler):
    """Fails once, then takes the file of a form."""

    bodies: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.bodies.append(body)
        self.send_response(503 if len(self.bodies) == 1 else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_a_file_is_sent_piece_by_piece_and_again_from_its_beginning_after_a_failure(tmp_path: Path):
    file, sent = tmp_path / "film.mp4", list[int]()
    file.write_bytes(bytes(range(256)) * 300)
    Bucket.bodies.clear()
    with HTTPServer(("127.0.0.1", 0), Bucket) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        transport = Transport("http://127.0.0.1:1", "token", timeout_s=5, retries=2)
        url = f"http://127.0.0.1:{server.server_port}"
        transport.post_form(url, {"key": "live/clips/door/1.mp4"}, file, "video/mp4", sent.append)
        server.shutdown()

    first, second = Bucket.bodies
    assert first == second
    assert file.read_bytes() in first
    assert b'name="key"\r\n\r\nlive/clips/door/1.mp4\r\n' in first
    assert max(sent) == file.stat().st_size
    assert len(set(sent)) > 3
