"""The picture in a request's body, whatever it is wrapped in."""

import base64
import binascii
import mimetypes
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP

from functions.api.operation import Call
from functions.api.problems import InvalidRequest
from vigil.errors import EmptyFile

MULTIPART_FORM = "multipart/form-data"
IMAGE_BODY_TYPES = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "application/octet-stream",
    MULTIPART_FORM,
)
"""What a picture may be sent as, besides base64 in JSON."""


def read_image(call: Call) -> bytes:
    """The bytes of the picture. Raises EmptyFile where there is none."""
    data = _first_form_file(call) if call.media_type.startswith(MULTIPART_FORM) else call.body
    if not data:
        raise EmptyFile("there is no picture in the body")
    return data


def decode_base64_image(text: str) -> bytes:
    """The bytes of a picture that came as base64. Raises Invalid, EmptyFile."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(
            "image is not base64", errors=[{"at": "/image", "message": "not base64"}]
        ) from error
    if not data:
        raise EmptyFile("there is no picture in the body")
    return data


def file_suffix(call: Call) -> str:
    """A file ending that fits the body's type, "" where it says nothing."""
    return mimetypes.guess_extension(call.media_type) or "" if call.media_type.startswith("image/") else ""


def _first_form_file(call: Call) -> bytes:
    """The first file of a form."""
    head = f"Content-Type: {call.media_type}\r\n\r\n".encode()
    form = BytesParser(policy=HTTP).parsebytes(head + call.body)
    files = [part for part in form.walk() if part.get_filename()]
    return _part_bytes(files[0]) if files else b""


def _part_bytes(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""
