"""Examples of docs/api.md run unchanged, with curl and with Python."""

import base64
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.e2e.api.conftest import PHOTOS, ROOT, Site

PAGE = (ROOT / "docs" / "api.md").read_text()
TASKS = re.findall(r"## (\d+)\. ([^\n]+)\n(.*?)(?=\n## |\Z)", PAGE, re.DOTALL)
BLOCKS = [
    pytest.param(language, block, id=f"{number}-{language}")
    for number, _, text in TASKS
    for language, block in re.findall(r"```(bash|python)\n(.*?)```", text, re.DOTALL)
]


@pytest.fixture(scope="module")
def environment(site: Site, biden: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    site.upload_drop((PHOTOS / "biden.jpg").read_bytes(), "tasks")
    (alert,) = site.request("GET", "/v1/alerts?source=tasks").json["items"]
    leaving = [site.request("POST", "/v1/people", {"name": f"leaving {n}"}).json["id"] for n in range(2)]
    yield {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "clients" / "python"),
        "VIGIL_URL": site.url,
        "VIGIL_TOKEN": site.token("admin"),
        "PHOTO": str(PHOTOS / "obama3.jpg"),
        "NAME": "somebody",
        "PERSON": biden,
        "ALERT": alert["id"],
        "GOING": leaving[0],
        "LEAVING": leaving[1],
        "DIR": str(tmp_path_factory.mktemp("tasks")),
    }
    for one in site.request("GET", "/v1/people?limit=100").json["items"]:
        if one["name"].startswith("somebody"):
            site.request("DELETE", f"/v1/people/{one['id']}")


def test_there_are_eleven_tasks_each_with_curl_and_python():
    assert [int(number) for number, _, _ in TASKS] == list(range(1, 12))
    assert [block.values[0] for block in BLOCKS] == ["bash", "python"] * 11


@pytest.mark.usefixtures("rules")
@pytest.mark.parametrize(("language", "block"), BLOCKS)
def test_an_example_runs_unchanged(environment: dict[str, str], language: str, block: str):
    program = ["bash", "-euo", "pipefail", "-c"] if language == "bash" else [sys.executable, "-c"]

    answer = subprocess.run(
        [*program, block], check=False, capture_output=True, text=True, env=environment, timeout=240
    )

    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.fixture(scope="module")
def hook() -> Any:
    spec = importlib.util.spec_from_file_location("webhook", ROOT / "docs" / "webhook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_webhook_receiver_accepts_only_signed_messages(hook: Any):
    key = rsa.generate_private_key(65537, 2048)
    message = {
        "Type": "Notification",
        "MessageId": "1",
        "TopicArn": "arn:aws:sns:eu-west-1:1:t",
        "Message": json.dumps({"type": "vigil.alert.raised", "id": "a"}),
        "Timestamp": "2026-03-02T12:00:00.000Z",
        "SignatureVersion": "2",
    }
    signature = key.sign(hook.text_of(message), padding.PKCS1v15(), SHA256())
    signed = message | {"Signature": base64.b64encode(signature).decode()}

    assert hook.genuine(signed, certificate(key))
    assert not hook.genuine(signed | {"Message": "{}"}, certificate(key))
    assert not hook.genuine(signed, certificate(rsa.generate_private_key(65537, 2048)))


@pytest.mark.parametrize(
    ("topic", "age", "good"),
    [
        ("ours", timedelta(minutes=5), True),
        ("theirs", timedelta(0), False),
        ("ours", timedelta(hours=2), False),
    ],
)
def test_the_webhook_receiver_accepts_only_recent_messages_of_its_topic(
    hook: Any, topic: str, age: timedelta, good: bool
):
    now = datetime.now(UTC)
    sent = (now - age).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    assert hook.expected({"TopicArn": topic, "Timestamp": sent}, "ours", now) is good


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://sns.eu-west-1.amazonaws.com/cert.pem", True),
        ("http://sns.eu-west-1.amazonaws.com/cert.pem", False),
        ("https://sns.eu-west-1.amazonaws.com.evil.example/cert.pem", False),
        ("https://evil.example/sns.eu-west-1.amazonaws.com", False),
    ],
)
def test_the_webhook_receiver_accepts_only_certificates_of_sns(hook: Any, url: str, good: bool):
    assert hook.from_sns(url) is good


def certificate(key: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    return built.public_bytes(Encoding.PEM)
