"""@operation derives an operation from its handler."""

import pytest
from pydantic import BaseModel

from functions.api import operation as registry
from functions.api.operation import Call, FileResponse, Operation, operation
from functions.api.routes import DOCUMENTED_OPERATIONS


class Query(BaseModel):
    limit: int


class Answer(BaseModel):
    items: list[str]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> list[Operation]:
    operations: list[Operation] = []
    monkeypatch.setattr(registry, "OPERATIONS", operations)
    return operations


def test_name_texts_and_models_follow_from_the_handler(registered: list[Operation]):
    @operation("GET", "/v1/things/{drop}", role="viewer", bound_tokens="allowed")
    def list_things(call: Call, query: Query) -> Answer:
        """List things.

        The newest
        first.

        Not part of the description.
        """
        return Answer(items=[call.path["drop"]] * query.limit)

    (one,) = registered
    assert (one.name, one.summary, one.description) == ("list-things", "List things", "The newest first.")
    assert (one.request_model, one.response_model, one.handler) == (Query, Answer, list_things)
    assert (one.parameters, one.tag, one.role) == (("drop",), "things", "viewer")


def test_an_optional_body_is_the_request_model_and_a_file_is_no_response_model(registered: list[Operation]):
    @operation("POST", "/v1/things", role=None, bound_tokens="allowed")
    def draw_thing(call: Call, body: Query | None = None) -> FileResponse:
        return FileResponse(b"", "image/jpeg")

    @operation("DELETE", "/v1/things", role="admin", bound_tokens="refused", status=204)
    def delete_things(_: Call) -> None:
        """Delete all things."""

    drawn, deleted = registered
    assert (drawn.request_model, drawn.response_model, drawn.summary) == (Query, None, "")
    assert (deleted.request_model, deleted.response_model, deleted.status) == (None, None, 204)


def test_an_operation_whose_json_contains_images_takes_bodies_as_long_as_one():
    limits = {one.name: one.max_bytes for one in DOCUMENTED_OPERATIONS}

    for name in ("compare-faces", "list-candidates"):
        assert limits[name] == limits["enrol-photo"] > limits["create-person"]
