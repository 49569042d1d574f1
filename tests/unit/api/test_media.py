"""A photo is accepted whatever its file is called."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from functions.api.media import IMAGE_BODY_TYPES
from functions.api.routes import BINARY_MEDIA_TYPES
from functions.api.schemas.drops import NewUpload
from vigil_client import Vigil

CHALICE_BINARY_TYPES = {"application/octet-stream", "image/png", "image/jpg", "image/jpeg", "image/gif"}
NAMES = [
    "a.jpg",
    "a.JFIF",
    "a.jpe",
    "a.bmp",
    "a.TIF",
    "a",
    "a.",
    ".hidden",
    "a.jpg~",
    "a.日本",
    "a.photograph",
]


class RecordingTransport:
    """Keeps what would be sent."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.media: list[str] = []

    def request(self, kind: Any, method: str, path: str, *, body: Any, media: str = "") -> Any:
        self.bodies.append(body)
        self.media.append(media)
        return {"url": "", "fields": {}, "id": "u-1"}

    def post_form(self, url: str, fields: Any, file: tuple[str, bytes, str]) -> None:
        self.media.append(file[2])


@pytest.mark.parametrize("name", NAMES)
def test_the_client_s_upload_of_any_file_name_is_a_valid_request(name: str, tmp_path: Path):
    (tmp_path / name).write_bytes(b"photo")
    api, transport = Vigil("https://example.test", "token"), RecordingTransport()
    api._transport = transport  # type: ignore[assignment]

    api.upload_photo(tmp_path / name, source="door")

    suffix = NewUpload.model_validate(transport.bodies[0]).suffix
    assert suffix in ("", f".{name.rsplit('.', maxsplit=1)[-1].lower()}")


@pytest.mark.parametrize("suffix", ["jpg", ".", "./x", ".a.b", ".toolong99"])
def test_a_suffix_that_is_none_is_refused(suffix: str):
    with pytest.raises(ValidationError):
        NewUpload.model_validate({"source": "door", "suffix": suffix})


@pytest.mark.parametrize("name", NAMES)
def test_the_client_sends_a_photo_of_any_name_as_a_type_that_the_api_reads(name: str, tmp_path: Path):
    (tmp_path / name).write_bytes(b"photo")
    api, transport = Vigil("https://example.test", "token"), RecordingTransport()
    api._transport = transport  # type: ignore[assignment]

    api.enrol_photo("p-1", tmp_path / name)

    assert set(transport.media) <= set(IMAGE_BODY_TYPES)


def test_every_media_type_of_an_image_reaches_the_api_as_bytes():
    assert set(IMAGE_BODY_TYPES) <= CHALICE_BINARY_TYPES | set(BINARY_MEDIA_TYPES)
