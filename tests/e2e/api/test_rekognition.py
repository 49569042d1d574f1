"""Amazon Rekognition's protocol on the packaged system, by boto3's client."""

import base64
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.api.conftest import PHOTOS, Site
from vigil_client import rekognition

OBAMA = {"Bytes": (PHOTOS / "obama.jpg").read_bytes()}


def client_of(site: Site, role: str = "admin", *sources: str) -> Any:
    return rekognition(site.url, lambda: site.token(role, *sources))


def test_faces_are_detected_and_compared_with_a_stored_photo(site: Site):
    drop = site.upload_drop((PHOTOS / "obama2.jpg").read_bytes(), "hall-1")
    row = site.cloud.records.find_drop(drop["id"])
    assert row is not None
    location = {"Bucket": site.cloud.outputs["PhotosBucket"], "Name": row["s3_object"]["key"]}
    client = client_of(site)

    (face,) = client.detect_faces(Image=OBAMA, Attributes=["ALL"])["FaceDetails"]
    compared = client.compare_faces(SourceImage=OBAMA, TargetImage={"S3Object": location})
    with pytest.raises(ClientError, match="InvalidS3ObjectException"):
        client_of(site, "reviewer", "door-*").detect_faces(Image={"S3Object": location})

    assert len(face["Landmarks"]) == 30
    assert [one["Similarity"] > 99 for one in compared["FaceMatches"]] == [True]


def test_an_indexed_face_is_found_by_another_photo_and_is_a_person_of_the_gallery(site: Site):
    client, later = client_of(site), (PHOTOS / "obama2.jpg").read_bytes()
    client.create_collection(CollectionId="visitors")

    (record,) = client.index_faces(CollectionId="visitors", Image=OBAMA, ExternalImageId="obama-1")[
        "FaceRecords"
    ]
    found = client.search_faces_by_image(CollectionId="visitors", Image={"Bytes": later})["FaceMatches"]
    body = {"image": base64.b64encode(later).decode(), "galleries": ["visitors"]}
    (sighting,) = site.request("POST", "/v1/predict/faces", body).json["sightings"]
    person = site.request("GET", f"/v1/people/{sighting['label']}").json
    client.delete_faces(CollectionId="visitors", FaceIds=[record["Face"]["FaceId"]])

    assert [one["Face"]["ExternalImageId"] for one in found] == ["obama-1"]
    assert (person["name"], person["gallery"]) == ("obama-1", "visitors")
    assert client.search_faces_by_image(CollectionId="visitors", Image=OBAMA)["FaceMatches"] == []
    assert site.request("DELETE", f"/v1/people/{person['id']}").status < 300


def test_calls_are_refused_by_role_and_audited(site: Site):
    client_of(site, "reviewer").detect_faces(Image=OBAMA)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        client_of(site, "viewer").detect_faces(Image=OBAMA)
    with pytest.raises(ClientError, match="401"):
        rekognition(site.url, "no token").detect_faces(Image=OBAMA)

    entries = site.request("GET", "/v1/audit?limit=20").json["items"]
    assert "rekognition:DetectFaces" in {one["operation"] for one in entries}
