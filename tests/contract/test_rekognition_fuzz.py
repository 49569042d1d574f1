"""No request by the shapes of Rekognition's model fails the server, with a collection, a face and a user."""

import json
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.api.rekognition.operations import OPERATIONS
from functions.api.rekognition.shapes import service_model
from tests.contract.test_rekognition import OBAMA, index, service
from tests.fakes.rekognition_service import Service, assert_output

__all__ = ["service"]

KNOWN: dict[str, st.SearchStrategy[Any]] = {
    "CollectionId": st.sampled_from(["staff", "staff", "staff", "never"]),
    "UserId": st.sampled_from(["ann", "ann", "bob"]),
    "ResourceArn": st.sampled_from(["arn:aws:rekognition:::collection/staff", "arn:aws:rekognition:::x"]),
}
"""Members that are mostly valid, so that requests reach what is stored."""

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def values(shape: Shape) -> st.SearchStrategy[Any]:
    """JSON for a shape: mostly as the model states, sometimes of another type or out of its limits."""
    match shape:
        case StructureShape():
            members = {name: KNOWN.get(name, values(one)) for name, one in shape.members.items()}
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
def test_no_request_by_the_shapes_of_the_model_fails_the_server(service: Service, name: str):
    (record,) = index(service, OBAMA, "obama-1")["FaceRecords"]
    face = record["Face"]["FaceId"]
    service.client.create_user(CollectionId="staff", UserId="ann")

    @settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None, database=None)
    @given(values(service_model().operation_model(name).input_shape), st.booleans())
    def send(document: Any, with_face: bool) -> None:
        if with_face and isinstance(document, dict):
            document |= {key: one for key, one in (("FaceIds", [face]), ("FaceId", face)) if key in document}
        response = service.send(f"RekognitionService.{name}", json.dumps(document))
        assert response["statusCode"] in (200, 400), response["body"]
        if response["statusCode"] == 200:
            assert_output(name, json.loads(response["body"]))

    send()
