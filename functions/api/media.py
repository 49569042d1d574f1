"""The image in the body of a request: raw bytes, a multipart form, or base64 in JSON."""

import re

from cloud.s3_events import decode_base64
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
        data = _form_file(call) if call.media_type.startswith(MULTIPART_FORM) else call.body
    if not data:
        raise EmptyFile("the body contains no image")
    return data


MAX_PARTS = 20
MAX_PART_HEADERS_BYTES = 8 * 1024
"""Limits of a form, which are checked before its headers are parsed."""

_BOUNDARY = re.compile(r'boundary="?([^";\r\n]{1,70})"?', re.IGNORECASE)


def _decode_base64(text: str) -> bytes:
    try:
        return decode_base64(text)
    except ValueError as error:
        errors = [{"at": "/image", "message": "not base64"}]
        raise InvalidRequest("image is not base64", errors=errors) from error


def _form_file(call: Call) -> bytes:
    """The first file of the form; without one, its first field. Raises InvalidRequest."""
    boundary = _BOUNDARY.search(call.media_type)
    if boundary is None:
        raise InvalidRequest("a form needs its boundary in Content-Type")
    delimiter = b"\r\n--" + boundary[1].encode()
    parts = (b"\r\n" + call.body).split(delimiter, MAX_PARTS + 1)[1:]
    if len(parts) > MAX_PARTS:
        raise InvalidRequest(f"a form may have at most {MAX_PARTS} parts")
    fields = [_parse_part(part) for part in parts if not part.startswith(b"--")]
    files = [content for headers, content in fields if b"filename" in headers]
    return next(iter(files or [content for _, content in fields]), b"")


def _parse_part(part: bytes) -> tuple[bytes, bytes]:
    """Headers in lower case, and the content of a part. Raises InvalidRequest."""
    end = part.find(b"\r\n\r\n", 0, MAX_PART_HEADERS_BYTES)
    if end < 0:
        raise InvalidRequest(f"the headers of a part must end within {MAX_PART_HEADERS_BYTES} bytes")
    headers, content = part[:end].lower(), part[end + 4 :]
    if re.search(rb"content-transfer-encoding:[ \t]*base64", headers):
        return headers, _decode_base64(content.decode("latin-1"))
    return headers, content
