"""AWS's own patience ends with the invocation."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar

import boto3
import pytest
from botocore.config import Config

from cloud.client import MARGIN_S, Deadline
from cloud.errors import translate_errors
from vigil.errors import Transient

THROTTLED = b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slower"}'


class ThrottlingService(BaseHTTPRequestHandler):
    """A service that has too much to do, and may say for how long."""

    requests: ClassVar[int] = 0
    wait_ms: ClassVar[str] = ""

    def do_POST(self) -> None:
        type(self).requests += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(400)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(THROTTLED)))
        if self.wait_ms:
            self.send_header("x-amz-retry-after", self.wait_ms)
        self.end_headers()
        self.wfile.write(THROTTLED)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def service() -> Iterator[str]:
    ThrottlingService.requests, ThrottlingService.wait_ms = 0, ""
    with ThreadingHTTPServer(("127.0.0.1", 0), ThrottlingService) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def deadline() -> Deadline:
    return Deadline()


@pytest.fixture
def client(deadline: Deadline, service: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """With more patience than any invocation has."""
    yield from attached_client(deadline, service, monkeypatch, attempts=50)


@pytest.fixture
def single_attempt_client(deadline: Deadline, service: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """With no patience of its own."""
    yield from attached_client(deadline, service, monkeypatch, attempts=1)


def attached_client(
    deadline: Deadline, service: str, monkeypatch: pytest.MonkeyPatch, *, attempts: int
) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    config = Config(connect_timeout=1, retries={"mode": "standard", "total_max_attempts": attempts})
    made = boto3.client("dynamodb", region_name="eu-west-1", endpoint_url=service, config=config)
    yield deadline.attach(made)
    made.close()


def test_what_is_throttled_is_tried_again_while_there_is_time(deadline: Deadline, client: Any):
    deadline.begin(MARGIN_S + 3.5)

    with pytest.raises(Transient), translate_errors("records", "list tables"):
        client.list_tables()

    assert ThrottlingService.requests >= 2


@pytest.mark.parametrize("remaining_s", [0.6, 1.6, 2.6])
def test_no_wait_for_a_retry_outlives_the_invocation(deadline: Deadline, client: Any, remaining_s: float):
    deadline.begin(remaining_s)
    began = time.monotonic()

    with (
        pytest.raises(Transient, match=r"ThrottlingException|no time left"),
        translate_errors("records", "list tables"),
    ):
        client.list_tables()

    assert time.monotonic() - began < remaining_s


def test_calls_that_follow_a_throttled_one_keep_its_pace_and_end_in_time(deadline: Deadline, client: Any):
    deadline.begin(MARGIN_S + 0.2)
    for _ in range(3):
        with pytest.raises(Transient), translate_errors("records", "list tables"):
            client.list_tables()
    deadline.begin(1.2)
    began, before = time.monotonic(), ThrottlingService.requests

    for _ in range(20):
        with pytest.raises(Transient), translate_errors("records", "list tables"):
            client.list_tables()

    assert time.monotonic() - began < 1.2
    assert ThrottlingService.requests - before < 20


def test_no_wait_that_the_service_requests_outlives_the_invocation(deadline: Deadline, client: Any):
    ThrottlingService.wait_ms = "4000"
    deadline.begin(3)
    began = time.monotonic()

    with pytest.raises(Transient, match="ThrottlingException"), translate_errors("records", "list tables"):
        client.list_tables()

    assert (ThrottlingService.requests, time.monotonic() - began < 3) == (1, True)


def test_when_time_is_over_nothing_is_begun(deadline: Deadline, client: Any):
    deadline.begin(0)

    with pytest.raises(Transient, match="no time left"), translate_errors("records", "list tables"):
        client.list_tables()

    assert ThrottlingService.requests == 0


def test_the_next_invocation_has_time_again(deadline: Deadline, client: Any):
    deadline.begin(0)
    deadline.begin(MARGIN_S + 0.5)

    with pytest.raises(Transient, match="ThrottlingException"), translate_errors("records", "list tables"):
        client.list_tables()

    assert ThrottlingService.requests == 1


def test_a_client_with_one_attempt_learns_of_throttling_at_once(
    deadline: Deadline, single_attempt_client: Any
):
    deadline.begin(MARGIN_S + 30)
    began = time.monotonic()

    for _ in range(20):
        with (
            pytest.raises(Transient, match="ThrottlingException"),
            translate_errors("records", "list tables"),
        ):
            single_attempt_client.list_tables()

    assert ThrottlingService.requests == 20
    assert time.monotonic() - began < 2
