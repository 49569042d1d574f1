"""Signed values that clients return unchanged, such as cursors; a change is detected."""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

_TAG_BYTES = 16


class InvalidSignature(ValueError):
    """The text was not signed for this purpose."""


def sign_value(value: Any, *, purpose: str, key: bytes) -> str:
    """A JSON value as URL-safe text with an HMAC-SHA256 tag over the purpose and the value."""
    data = json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
    return base64.urlsafe_b64encode(_compute_tag(data, purpose, key) + data).decode().rstrip("=")


def verify_value(text: str, *, purpose: str, key: bytes) -> Any:
    """The value of a signed text. Raises InvalidSignature."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidSignature("not base64url") from error
    tag, data = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
    if not hmac.compare_digest(tag, _compute_tag(data, purpose, key)):
        raise InvalidSignature("the tag does not match")
    return json.loads(data)


def _compute_tag(data: bytes, purpose: str, key: bytes) -> bytes:
    return hmac.digest(key, purpose.encode() + b"\0" + data, hashlib.sha256)[:_TAG_BYTES]
