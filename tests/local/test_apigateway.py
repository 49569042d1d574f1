"""Which route a request takes, as API Gateway chooses."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

import pytest
import requests

from infra.local.apigateway.events import ApiStage, HttpRequest
from infra.local.apigateway.routes import Route, find_route, parse_routes
from infra.local.apigateway.server import BODY_LIMIT, ApiGateway, RestApi
from infra.local.cloud import Cloud
from infra.local.cloudformation.names import AwsLocation
from infra.local.errors import UnsupportedFeature
from infra.local.lambda_.service import InvocationResult
from infra.local.process import ThreadSupervisor

ANY = "X-AMAZON-APIGATEWAY-ANY-METHOD"
ROUTES = [
    Route(resource, method, f"{method} {resource}")
    for resource, method in [
        ("/things", ANY),
        ("/things", "GET"),
        ("/things/{name}", "PUT"),
        ("/things/mine", ANY),
    ]
]


def matched_resource(method: str, path: str) -> str | None:
    match = find_route(ROUTES, method, path)
    return match.route.function if match else None


def test_a_method_of_its_own_wins_over_any():
    assert (matched_resource("GET", "/things"), matched_resource("POST", "/things")) == (
        "GET /things",
        f"{ANY} /things",
    )


def test_the_path_is_chosen_before_the_method():
    assert matched_resource("PUT", "/things/mine") == f"{ANY} /things/mine"


def test_any_is_the_methods_that_api_gateway_knows():
    assert matched_resource("TRACE", "/things") is None


@pytest.mark.parametrize(
    ("definition", "feature"),
    [
        (
            {"paths": {"/things": {"get": {"x-amazon-apigateway-integration": {"type": "mock"}}}}},
            "get /things: .* x-amazon-apigateway-integration of type mock",
        ),
        (
            {"securityDefinitions": {"guard": {"x-amazon-apigateway-authorizer": {"type": "request"}}}},
            "guard: .* an authorizer of type request",
        ),
        (
            {
                "securityDefinitions": {
                    "guard": {"x-amazon-apigateway-authorizer": {"type": "token", "identitySource": "x"}}
                }
            },
            "guard: .* identitySource",
        ),
    ],
)
def test_an_unsupported_part_of_an_api_is_refused_with_its_name(definition: dict[str, Any], feature: str):
    with pytest.raises(UnsupportedFeature, match=f"^Api {feature}"):
        parse_routes(definition, "Api")


def _get_path(cloud: Cloud, path: str, **more: Any) -> requests.Response:
    return requests.get(cloud.outputs["Url"] + path, timeout=120, **more)


def test_a_request_becomes_a_rest_proxy_event(cloud: Cloud):
    answer = _get_path(cloud, "things/two%20words?a=1&a=2&b=", headers={"X-One": "1"})

    event = answer.json()
    assert answer.status_code == 201
    assert answer.headers["X-Own"] == "yes"
    assert event["resource"] == "/things/{name}"
    assert event["httpMethod"] == "GET"
    assert event["pathParameters"] == {"name": "two words"}
    assert event["queryStringParameters"] == {"a": "2", "b": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [""]}
    assert event["headers"]["X-One"] == "1"
    assert event["multiValueHeaders"]["X-One"] == ["1"]
    assert event["stageVariables"] is None
    assert event["body"] is None
    assert event["isBase64Encoded"] is False
    assert event["requestContext"]["stage"] == "api"
    assert event["requestContext"]["resourcePath"] == "/things/{name}"
    assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"


def test_a_fixed_path_wins_over_a_parameter(cloud: Cloud):
    assert _get_path(cloud, "things/mine").json()["resource"] == "/things/mine"


def test_an_unknown_path_is_forbidden_as_on_aws(cloud: Cloud):
    unknown = _get_path(cloud, "nowhere")
    other_stage = requests.get(cloud.outputs["Url"].replace("/api/", "/prod/things/x"), timeout=120)

    assert (unknown.status_code, unknown.json()) == (403, {"message": "Missing Authentication Token"})
    assert (other_stage.status_code, other_stage.json()) == (403, {"message": "Forbidden"})


def test_an_answer_that_is_no_proxy_response_is_a_bad_gateway(cloud: Cloud):
    answer = _get_path(cloud, "broken")

    assert (answer.status_code, answer.json()) == (502, {"message": "Internal server error"})


class BlockedFunctions:
    """Invocations that end only when the test releases them."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def invoke(self, _name: str, _payload: bytes) -> InvocationResult:
        self.released.wait()
        return InvocationResult("id", b"{}", None, 0.0)


def test_a_function_that_exceeds_the_limit_is_a_gateway_timeout():
    functions: Any = BlockedFunctions()
    gateway = ApiGateway(ThreadSupervisor(), timeout_s=0.01)
    stage = ApiStage("api", "api", [], AwsLocation("http://127.0.0.1"))
    gateway.start_serving({"api": RestApi(stage, [Route("/slow", "GET", "slow")], {})}, functions)

    response = gateway.handle("api", HttpRequest("GET", "/slow", "", [], b"", "127.0.0.1"))
    functions.released.set()
    gateway.stop()

    assert (response.status, json.loads(response.body)) == (504, {"message": "Endpoint request timed out"})


def test_a_body_above_ten_megabytes_is_refused(cloud: Cloud):
    answer = requests.post(cloud.outputs["Url"] + "picture", data=b"x" * (BODY_LIMIT + 1), timeout=30)

    assert answer.status_code == 413


def test_bytes_pass_both_ways_when_their_media_type_is_binary(cloud: Cloud):
    picture = bytes(range(256))
    headers = {"Content-Type": "image/png", "Accept": "image/png"}

    answer = requests.post(cloud.outputs["Url"] + "picture", data=picture, headers=headers, timeout=120)
    unasked = requests.post(
        cloud.outputs["Url"] + "picture", data=picture, headers={**headers, "Accept": "*/*"}, timeout=120
    )

    assert answer.content == picture
    assert answer.headers["Content-Type"] == "image/png"
    assert unasked.content == base64.b64encode(picture)


@pytest.mark.parametrize(
    ("token", "status"),
    [("let me in", 201), ("throw me out", 403), ("who am I", 403), ("broken", 500), (None, 401)],
)
def test_an_authorizer_decides_who_comes_in(cloud: Cloud, token: str | None, status: int):
    answer = _get_path(cloud, "secret", headers={"Authorization": token} if token else {})

    assert answer.status_code == status


def test_an_authorizer_s_context_reaches_the_function_and_its_policy_is_remembered(cloud: Cloud):
    first = _get_path(cloud, "secret", headers={"Authorization": "let me in"})
    asked = cloud.invocations["authorize"].invocations
    second = _get_path(cloud, "secret", headers={"Authorization": "let me in"})

    assert first.json()["requestContext"]["authorizer"] == {"role": "guest", "principalId": "someone"}
    assert json.loads(second.text)["requestContext"]["authorizer"]["principalId"] == "someone"
    assert cloud.invocations["authorize"].invocations == asked
