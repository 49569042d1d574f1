"""The image in the body of a request: raw bytes, a multipart form, or base64 in JSON."""

import base64
import binascii
from email.parser import BytesParser
from email.policy import HTTP

from functions.api.operation import UNCOMMON_IMAGE_TYPES, Call
from functions.api.problems import InvalidRequest
from vigil.errors import EmptyFile

MULTIPART_FORM = "multipart/form-data"
IMAGE_BODY_TYPES = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    *UNCOMMON_IMAGE_TYPES,
    "application/octet-stream",
    MULTIPART_FORM,
)
"""Accepted media types of images, besides base64 in JSON; the content decides the format."""


def read_image(call: Call, base64_text: str | None = None) -> bytes:
    """The image in base64 if it is given, else the one in the body. Raises InvalidRequest, EmptyFile."""
    if base64_text is not None:
        data = _decode_base64(base64_text)
    else:
        data = _first_form_file(call) if call.media_type.startswith(MULTIPART_FORM) else call.body
    if not data:
        raise EmptyFile("the body contains no image")
    return data


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        errors = [{"at": "/image", "message": "not base64"}]
        raise InvalidRequest("image is not base64", errors=errors) from error


def _first_form_file(call: Call) -> bytes:
    """The first file of the form, b"" without one."""
    head = f"Content-Type: {call.media_type}\r\n\r\n".encode()
    form = BytesParser(policy=HTTP).parsebytes(head + call.body)
    files = (part.get_payload(decode=True) for part in form.walk() if part.get_filename())
    data = next(files, b"")
    return data if isinstance(data, bytes) else b""
