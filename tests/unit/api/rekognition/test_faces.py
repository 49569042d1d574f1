"""DetectFaces and CompareFaces by boto3's client, with the bundled networks."""

import io
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from functions.api.rekognition.collection_faces import REASONS
from tests.fakes.built_models import photo
from tests.fakes.rekognition_service import BUCKET, Service
from vigil.faces.quality import FaceMeasures, QualityGate, Ramp

STORED = {"S3Object": {"Bucket": BUCKET, "Name": "live/faces/door-1/a.jpg"}}


def empty_picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (200, 200)).save(out, "PNG")
    return out.getvalue()


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_face_has_box_landmarks_pose_and_quality(service: Service):
    (face,) = service.client.detect_faces(Image={"Bytes": photo("obama.jpg")})["FaceDetails"]

    box, points = face["BoundingBox"], {one["Type"]: (one["X"], one["Y"]) for one in face["Landmarks"]}
    assert face.keys() == {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}
    assert points.keys() == {"eyeLeft", "eyeRight", "mouthLeft", "mouthRight", "nose"}
    for x, y in points.values():
        assert box["Left"] < x < box["Left"] + box["Width"]
        assert box["Top"] < y < box["Top"] + box["Height"]
    assert points["eyeLeft"][0] < points["nose"][0] < points["eyeRight"][0]
    assert points["eyeLeft"][1] < points["nose"][1] < points["mouthLeft"][1]
    assert face["Confidence"] > 80
    assert abs(face["Pose"]["Yaw"]) < 30
    assert 0 < face["Quality"]["Brightness"] < 100
    assert 0 < face["Quality"]["Sharpness"] <= 100


def test_all_attributes_are_all_landmarks_and_nothing_about_the_person(service: Service):
    (face,) = service.client.detect_faces(Image=STORED, Attributes=["ALL"])["FaceDetails"]

    assert len(face["Landmarks"]) == 30
    assert not face.keys() & {"Gender", "AgeRange", "Emotions", "Beard", "EyeDirection"}


def test_a_picture_without_a_face_has_no_details(service: Service):
    assert service.client.detect_faces(Image={"Bytes": empty_picture()})["FaceDetails"] == []


def test_two_photos_of_one_person_match_and_of_two_people_do_not(service: Service):
    def compare(target: str) -> Any:
        return service.client.compare_faces(
            SourceImage={"Bytes": photo("obama.jpg")}, TargetImage={"Bytes": photo(target)}
        )

    same, other = compare("obama2.jpg"), compare("biden.jpg")

    assert [one["Similarity"] > 99 for one in same["FaceMatches"]] == [True]
    assert (same["UnmatchedFaces"], other["FaceMatches"], len(other["UnmatchedFaces"])) == ([], [], 1)
    assert same["SourceImageFace"]["Confidence"] > 80


def test_the_threshold_decides_what_matches(service: Service):
    images = {"SourceImage": STORED, "TargetImage": {"Bytes": photo("biden.jpg")}}

    everything = service.client.compare_faces(**images, SimilarityThreshold=0)

    assert [one["Similarity"] < 80 for one in everything["FaceMatches"]] == [True]


def test_a_source_image_without_a_face_is_an_invalid_parameter(service: Service):
    with pytest.raises(ClientError) as error:
        service.client.compare_faces(SourceImage={"Bytes": empty_picture()}, TargetImage=STORED)

    assert code_of(error) == "InvalidParameterException"


@pytest.mark.parametrize(
    ("image", "code"),
    [
        ({"Bytes": b"no picture"}, "InvalidImageFormatException"),
        ({"Bytes": photo("obama.jpg")[:400]}, "InvalidImageFormatException"),
        ({"Bytes": b"x" * 5_242_881}, "ImageTooLargeException"),
        ({}, "InvalidParameterException"),
        ({"S3Object": {"Bucket": BUCKET}}, "InvalidParameterException"),
        ({"S3Object": {"Bucket": "another", "Name": "live/faces/door-1/a.jpg"}}, "InvalidS3ObjectException"),
        ({"S3Object": {"Bucket": BUCKET, "Name": "live/faces/door-1/none.jpg"}}, "InvalidS3ObjectException"),
        ({"S3Object": {"Bucket": BUCKET, "Name": "gallery/1.npy"}}, "InvalidS3ObjectException"),
    ],
)
def test_an_image_that_cannot_be_used_has_the_error_of_rekognition(
    service: Service, image: dict[str, Any], code: str
):
    with pytest.raises(ClientError) as error:
        service.client.detect_faces(Image=image)

    assert code_of(error) == code


def test_a_token_of_one_door_cannot_use_photos_of_another(service: Service):
    service.sources = ("door-2",)

    with pytest.raises(ClientError) as error:
        service.client.detect_faces(Image=STORED)
    service.sources = ("door-*",)

    assert code_of(error) == "InvalidS3ObjectException"
    assert service.client.detect_faces(Image=STORED)["FaceDetails"]


def test_every_quality_issue_has_a_reason_of_its_own_when_a_face_is_not_indexed():
    ramp = Ramp(poor=1, good=2)
    gate = QualityGate(height_px=ramp, sharpness=ramp, turn=ramp, movement=ramp, unfit_below=0.5)

    issues = {issue for roll in (0, 90) for issue in gate.assess(FaceMeasures(0, 0, 0, 0, roll))[1]}

    assert len(issues) == 4
    assert issues <= set(REASONS)
