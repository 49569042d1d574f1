"""Authorization, rate limit, validation and audit of requests in Rekognition's protocol."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, Shape, StructureShape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.api.rekognition.operations import OPERATIONS
from functions.api.rekognition.shapes import service_model
from tests.fakes.built_models import photo
from tests.fakes.rekognition_service import Functions, Service
from vigil.access.roles import ROLES

NO_FACE: dict[str, Any] = {"size_px": [1, 1], "faces": [], "similarities": []}
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


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def values(shape: Shape) -> st.SearchStrategy[Any]:
    """JSON for a shape: mostly as the model states, sometimes of another type or out of its limits."""
    match shape:
        case StructureShape():
            members = {name: values(one) for name, one in shape.members.items()}
            required = {name: members.pop(name) for name in shape.required_members}
            good: st.SearchStrategy[Any] = st.fixed_dictionaries(required, optional=members)
        case ListShape():
            good = st.lists(values(shape.member), max_size=3)
        case MapShape():
            good = st.dictionaries(st.text(max_size=130), values(shape.value), max_size=2)
        case _ if "enum" in shape.metadata:
            good = st.sampled_from(shape.metadata["enum"])
        case _ if shape.type_name == "string":
            good = st.from_regex(r"[a-zA-Z0-9_.-]{1,12}", fullmatch=True) | st.text(max_size=300)
        case _ if shape.type_name == "blob":
            good = st.sampled_from(["", "AAAA", "====", "bm8gcGljdHVyZQ=="])
        case _ if shape.type_name == "boolean":
            good = st.booleans()
        case _:
            good = st.integers(-1, 5000) | st.floats(-1, 101)
    return st.integers(0, 30).flatmap(lambda chance: JSON_VALUES if chance == 0 else good)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_no_request_by_the_shapes_of_the_model_fails_the_server(
    service: Service, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setattr(Functions, "invoke", lambda *_: {"photos": [NO_FACE, NO_FACE], "source": None})

    @settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None, database=None)
    @given(values(service_model().operation_model(name).input_shape))
    def send(document: Any) -> None:
        response = service.send(f"RekognitionService.{name}", json.dumps(document))
        assert response["statusCode"] in (200, 400), response["body"]

    send()
