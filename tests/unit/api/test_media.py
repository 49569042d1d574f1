"""The image of a request: what clients send is accepted, and a form is limited before it is parsed."""

import base64

import pytest

from functions.api.media import MAX_PARTS, read_image
from functions.api.operation import Call
from functions.api.problems import InvalidRequest
from vigil.access.roles import Caller
from vigil.errors import EmptyFile

IMAGE = bytes(range(256)) * 3
TEXT = base64.b64encode(IMAGE).decode()


def form(*parts: bytes, boundary: str = "limit") -> Call:
    body = b"".join(b"--limit\r\n" + part + b"\r\n" for part in parts) + b"--limit--\r\n"
    return Call(Caller("ann", "admin"), {}, body, f"multipart/form-data; boundary={boundary}")


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.rstrip("="),
        base64.encodebytes(IMAGE).decode(),
        base64.urlsafe_b64encode(IMAGE).decode(),
        f"data:image/jpeg;base64,{TEXT}",
        f"data:image/svg+xml;charset=utf-8;base64,{TEXT}",
    ],
    ids=["plain", "without padding", "in lines", "URL-safe", "data URL", "data URL with parameters"],
)
def test_base64_in_every_usual_form_is_the_same_image(text: str):
    assert read_image(form(), text) == IMAGE


@pytest.mark.parametrize("text", ["!", "a", "data:image/jpeg;base64,!!", "QUJD\u00e4"])
def test_other_text_is_refused(text: str):
    with pytest.raises(InvalidRequest, match="not base64"):
        read_image(form(), text)


def test_a_file_of_a_form_is_found_beside_other_fields():
    name = b'Content-Disposition: form-data; name="source"\r\n\r\ndoor'
    file = b'Content-Disposition: form-data; name="x"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'

    assert read_image(form(name, file + IMAGE)) == IMAGE
    assert read_image(form(name, file + IMAGE), None) == IMAGE


def test_a_field_without_a_file_name_is_the_image_if_there_is_no_file():
    assert read_image(form(b'Content-Disposition: form-data; name="image"\r\n\r\n' + IMAGE)) == IMAGE


def test_a_part_in_base64_is_decoded():
    head = b'Content-Disposition: form-data; filename="a"\r\nContent-Transfer-Encoding: base64\r\n\r\n'

    assert read_image(form(head + TEXT.encode())) == IMAGE


def test_a_form_without_an_image_is_empty():
    with pytest.raises(EmptyFile):
        read_image(form())


@pytest.mark.parametrize(
    "call",
    [
        form(*[b"a: b\r\n\r\n"] * (MAX_PARTS + 1)),
        form(b"x: y\r\n" * 200_000 + b"\r\n"),
        form(b"x" * 800_000),
        Call(Caller("ann", "admin"), {}, b"\r\n--limit" * 80_000, "multipart/form-data; boundary=limit"),
        Call(Caller("ann", "admin"), {}, b"", "multipart/form-data"),
    ],
    ids=["parts", "headers", "one header", "delimiters", "no boundary"],
)
def test_a_form_beyond_the_limits_is_refused_before_it_is_parsed(call: Call):
    with pytest.raises(InvalidRequest):
        read_image(call)
