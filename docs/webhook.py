"""A receiver of Vigil's events over HTTPS: confirms its subscription, and believes only what SNS has signed.

Needs `cryptography`. Behind your TLS terminator: python docs/webhook.py 8000 ARN, where ARN is the topic of
events (the stack output EventsTopicArn): anybody can have SNS sign messages of another topic.
"""

import base64
import json
import sys
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}
"""The fields that SNS signs, in this order."""


def from_sns(url: str) -> bool:
    """Whether an address is SNS's own: a signature by anybody else's certificate proves nothing."""
    parts = urlsplit(url)
    service, *rest = (parts.hostname or "").split(".")
    regional = len(rest) == 3 and rest[1:] == ["amazonaws", "com"]
    return parts.scheme == "https" and service == "sns" and regional


def text_of(message: dict[str, Any]) -> bytes:
    """What the signature is over."""
    names = [name for name in SIGNED[message["Type"]] if message.get(name) is not None]
    return "".join(f"{name}\n{message[name]}\n" for name in names).encode()


def genuine(message: dict[str, Any], certificate: bytes) -> bool:
    """Whether SNS's key has signed this message."""
    key = x509.load_pem_x509_certificate(certificate).public_key()
    algorithm = SHA256() if message.get("SignatureVersion") == "2" else SHA1()  # noqa: S303 - version 1 is SNS's
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(base64.b64decode(message["Signature"]), text_of(message), padding.PKCS1v15(), algorithm)
    except InvalidSignature:
        return False
    return True


MAX_AGE = timedelta(hours=1)
"""SNS repeats a delivery for less than this; an older message is a copy that somebody sends again."""


def expected(message: dict[str, Any], topic: str, now: datetime) -> bool:
    """Whether the message is of our topic and not old."""
    sent = datetime.fromisoformat(message["Timestamp"].replace("Z", "+00:00"))
    return message["TopicArn"] == topic and abs(now - sent) <= MAX_AGE


class Hook(BaseHTTPRequestHandler):
    """POST from SNS."""

    topic = ""

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        address = message["SigningCertURL"]
        if not from_sns(address) or not genuine(message, urlopen(address, timeout=5).read()):  # noqa: S310
            self.send_error(403)
            return
        if not expected(message, self.topic, datetime.now(UTC)):
            self.send_error(403)
            return
        if message["Type"] == "SubscriptionConfirmation" and from_sns(message["SubscribeURL"]):
            urlopen(message["SubscribeURL"], timeout=5).read()  # noqa: S310 - SNS's own, over HTTPS
        else:
            event = json.loads(message["Message"])
            print(event["type"], event["id"])  # noqa: T201 - the same id may come twice: it is one event
        self.send_response(204)
        self.end_headers()


if __name__ == "__main__":
    Hook.topic = sys.argv[2]
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Hook).serve_forever()
