"""Faces of a collection of Amazon Rekognition are indexed again from their photos."""

from typing import Any

from botocore.exceptions import ClientError

from tests.contract.test_rekognition import BIDEN, OBAMA, index, service
from tests.fakes.rekognition_service import Service
from vigil_cli.commands.import_rekognition import ImportedPhoto, import_collection

__all__ = ["service"]

PHOTOS = {"photos/obama-1": OBAMA["Bytes"], "photos/biden-1": BIDEN["Bytes"], "photos/text": b"no picture"}


class Storage:
    """Photos by key, and which were read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def fetch(self, key: str) -> bytes:
        self.read.append(key)
        if key not in PHOTOS:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": ""}}, "GetObject")
        return PHOTOS[key]


class FakeCollection:
    """A collection of Amazon Rekognition with two faces of one photo, and faces without a usable photo."""

    def get_paginator(self, name: str) -> "FakeCollection":
        assert name == "list_faces"
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        ids = ["obama-1", "biden-1", "text", "lost", "unmapped", None]
        return [{"Faces": [{"ExternalImageId": one} if one else {} for one in ids]}]


def find_key(name: str) -> str | None:
    return None if name == "unmapped" else f"photos/{name}"


def test_photos_are_indexed_under_their_ids_and_a_repetition_continues(service: Service):
    first, second = Storage(), Storage()

    rows = list(import_collection(FakeCollection(), "old", service.client, "staff", find_key, first.fetch))
    again = list(import_collection(FakeCollection(), "old", service.client, "staff", find_key, second.fetch))

    assert rows == [
        ImportedPhoto("obama-1", "photos/obama-1", 1, 1),
        ImportedPhoto("biden-1", "photos/biden-1", 1, 1),
        ImportedPhoto("text", "photos/text", 1, 0, ("InvalidImageFormatException",)),
        ImportedPhoto("lost", "photos/lost", 1, 0, ("NoSuchKey",)),
        ImportedPhoto("unmapped", "", 1, 0, ("no-key",)),
        ImportedPhoto("", "", 1, 0, ("no-key",)),
    ]
    assert again == rows
    assert second.read == ["photos/text", "photos/lost"]
    found = service.client.search_faces_by_image(CollectionId="staff", Image=OBAMA)["FaceMatches"]
    assert [one["Face"]["ExternalImageId"] for one in found] == ["obama-1"]


def test_a_gallery_with_a_face_of_the_photo_is_not_changed(service: Service):
    index(service, OBAMA, "obama-1")
    storage = Storage()

    list(import_collection(FakeCollection(), "old", service.client, "staff", find_key, storage.fetch))

    assert "photos/obama-1" not in storage.read
