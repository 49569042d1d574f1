"""Authorization, rate limit, validation and audit of requests in Rekognition's protocol."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.api.rekognition.operations import OPERATIONS
from tests.fakes.built_models import photo
from tests.fakes.rekognition_service import Service
from vigil.access.roles import ROLES

PHOTO = {"Bytes": photo("obama.jpg")}


def error_of(response: dict[str, Any]) -> str:
    return str(json.loads(response["body"])["__type"])


def test_the_clients_token_is_sent_and_each_call_is_audited(service: Service):
    service.client.detect_faces(Image=PHOTO)

    assert service.tokens == ["Bearer a-token"]
    assert service.audit_log.entries == [("ann", "rekognition:DetectFaces")]


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_each_operation_requires_its_role(service: Service, name: str):
    operation = OPERATIONS[name]

    for role in ROLES[: ROLES.index(operation.role)]:
        service.role = role
        response = service.send(f"RekognitionService.{name}", "{}")
        assert (response["statusCode"], error_of(response)) == (400, "AccessDeniedException")
    assert service.audit_log.entries == []


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_a_token_of_sources_alone_reaches_no_collection_and_each_operation_is_throttled(
    service: Service, name: str
):
    service.sources = ("door-*",)
    bound = service.send(f"RekognitionService.{name}", "{}")
    service.sources, service.wait_s = None, 2.0
    throttled = service.send(f"RekognitionService.{name}", "{}")

    is_limited = OPERATIONS[name].bound_tokens == "limited"
    expected = {"InvalidParameterException"} if is_limited else {"AccessDeniedException"}
    assert {error_of(bound)} == expected
    assert (throttled["statusCode"], error_of(throttled)) == (500, "ThrottlingException")


def test_a_caller_with_too_many_requests_is_throttled_and_boto3_may_retry(service: Service):
    service.wait_s = 2.0

    with pytest.raises(service.client.exceptions.ThrottlingException):
        service.client.detect_faces(Image=PHOTO)


@pytest.mark.parametrize("target", ["RekognitionService.StartFaceSearch", "DetectFaces", "S3.GetObject", ""])
def test_an_operation_that_is_not_there_names_those_that_are(service: Service, target: str):
    response = service.send(target, "{}")

    assert (response["statusCode"], error_of(response)) == (400, "UnknownOperationException")
    assert "DetectFaces" in json.loads(response["body"])["Message"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "InvalidParameterException"),
        ("{", "SerializationException"),
        ("[" * 100_000, "SerializationException"),
        ('{"Image": 3}', "SerializationException"),
        ('{"Image": {"Bytes": "%"}}', "SerializationException"),
        ('{"Image": {"S3Object": {"Bucket": "photos", "Name": "\\ud800"}}}', "SerializationException"),
        ('{"Image": {}, "Attributes": ["AURA"]}', "InvalidParameterException"),
    ],
)
def test_a_request_that_breaks_the_model_has_the_error_of_aws(service: Service, body: str, code: str):
    assert error_of(service.send("RekognitionService.DetectFaces", body)) == code


@pytest.mark.parametrize("threshold", ["NaN", "1e999", "true", '"80"', "101", "1" + "0" * 400])
def test_a_threshold_is_a_number_between_0_and_100(service: Service, threshold: str):
    body = f'{{"SourceImage": {{}}, "TargetImage": {{}}, "SimilarityThreshold": {threshold}}}'

    response = service.send("RekognitionService.CompareFaces", body)

    assert error_of(response) in ("SerializationException", "InvalidParameterException")


def test_boto3_raises_the_exceptions_of_rekognition(service: Service):
    with pytest.raises(service.client.exceptions.InvalidImageFormatException):
        service.client.detect_faces(Image={"Bytes": b"no picture"})
    service.role = "viewer"
    with pytest.raises(ClientError, match="AccessDeniedException"):
        service.client.detect_faces(Image=PHOTO)
