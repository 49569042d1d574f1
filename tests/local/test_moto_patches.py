"""What S3 refuses of an upload form, the local cloud refuses too."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

from cloud.s3.objects import PresignedPhotos
from infra.local.moto_.patches.post_policy import check_form
from infra.local.moto_.process import create_http_server

NOW = datetime.now(UTC)


def post_form(key: str = "live/faces/door/a.jpg") -> dict[str, str]:
    client = boto3.client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(signature_version="s3v4"),
    )
    signed = PresignedPhotos(client, "photos").upload_form(
        key, content_type="image/jpeg", max_bytes=1000, expires_s=300
    )
    return {name.lower(): value for name, value in signed.fields.items()} | {"bucket": "photos"}


def test_a_form_that_is_as_it_was_signed_is_taken():
    assert check_form(post_form(), 1000, NOW) is None


@pytest.mark.parametrize(
    ("changed", "size", "code"),
    [
        ({}, 1001, "EntityTooLarge"),
        ({}, 0, "EntityTooSmall"),
        ({"content-type": "text/html"}, 10, "AccessDenied"),
        ({"key": "live/faces/vault/a.jpg"}, 10, "AccessDenied"),
        ({"bucket": "store"}, 10, "AccessDenied"),
        ({"acl": "public-read"}, 10, "AccessDenied"),
        ({"policy": "none"}, 10, "AccessDenied"),
    ],
)
def test_a_form_that_was_changed_is_refused(changed: dict[str, str], size: int, code: str):
    told = check_form(post_form() | changed, size, NOW)

    assert told is not None
    assert told[1] == code


def test_a_form_ends_with_its_time():
    told = check_form(post_form(), 10, NOW + timedelta(hours=1))

    assert told is not None
    assert "expired" in told[2]


# MERGED: The server that moto answers through.

_PUT_REQUEST = b"PUT / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"


def _echo_application(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
    start("200 OK", [])
    return [environ["wsgi.input"].read()]


def test_whoever_asks_before_sending_is_answered_before_sending():
    http = create_http_server(_echo_application, None)
    threading.Thread(target=http.serve_forever, daemon=True).start()

    with socket.create_connection(("127.0.0.1", http.port), timeout=5) as line:
        line.sendall(_PUT_REQUEST)
        told = line.recv(1000)
        line.sendall(b"photo")
        answer = line.recv(1000)
    http.shutdown()

    assert told.startswith(b"HTTP/1.1 100")
    assert answer.endswith(b"photo")
