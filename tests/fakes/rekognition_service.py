"""boto3's own client of Rekognition, answered by the API's app and the predict function in this process."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.validate import ParamValidator

from functions import enrol, erase, predict
from functions.api import idempotency, middleware
from functions.api.app import app
from functions.api.rekognition import collection_faces, collections, images, serve, tokens, users
from functions.api.rekognition.shapes import service_model
from tests.fakes.built_models import bundled_models, photo
from tests.unit.api.test_requests import AuditLog
from vigil.drops.messages import S3Object
from vigil.errors import ObjectNotFound
from vigil.inference.repository import BundledModels
from vigil_client import rekognition

BUCKET = "photos"
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 20_000)


class Photos:
    """One stored photo of the source door-1."""

    def fetch(self, item: S3Object, max_bytes: int) -> bytes:
        if item.key != "live/faces/door-1/a.jpg":
            raise ObjectNotFound("the object was deleted before it was read")
        return photo("obama.jpg")


class Functions:
    """The functions that the API calls, in this process, with the bundled networks."""

    def invoke(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        handler = {"predict": predict.on_predict, "enrol": enrol.on_enrol, "erase": erase.on_erase}[name]
        answer: dict[str, Any] = json.loads(json.dumps(handler(payload, CONTEXT)))
        return answer


@cache
def opened_models() -> BundledModels:
    return bundled_models()


@dataclass
class Service:
    """The app with its fakes, and who calls it."""

    audit_log: AuditLog = field(default_factory=AuditLog)
    role: str = "admin"
    sources: tuple[str, ...] | None = None
    galleries: tuple[str, ...] | None = None
    wait_s: float = 0.0
    tokens: list[str] = field(default_factory=list)

    @cached_property
    def client(self) -> Any:
        """boto3's client; whatever it sends is answered here, and every output is checked by the model."""
        client = rekognition(
            "http://api.test/api", "a-token", config=Config(retries={"total_max_attempts": 1})
        )
        client.meta.events.register_last("before-send.rekognition", self._answer)
        return client

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        assert request.url == "http://api.test/api/rekognition"
        self.tokens.append(request.headers["Authorization"])
        target = request.headers["X-Amz-Target"].decode()
        response = self.send(target, request.body.decode())
        if response["statusCode"] == 200:
            assert_output(target.partition(".")[2], json.loads(response["body"]))
        raw = io.BytesIO(response["body"].encode())
        raw.stream = lambda *_, **__: iter([raw.getvalue()])  # type: ignore[attr-defined]
        headers = {name: values[0] for name, values in response["multiValueHeaders"].items()}
        return AWSResponse(request.url, response["statusCode"], headers, raw)

    def send(self, target: str, body: str) -> dict[str, Any]:
        """The app's response to a request as API Gateway passes it on."""
        authorizer = {
            "principalId": "ann",
            "role": self.role,
            "sources": json.dumps(self.sources),
            "galleries": json.dumps(self.galleries),
        }
        event = {
            "requestContext": {
                "resourcePath": "/rekognition",
                "httpMethod": "POST",
                "path": "/api/rekognition",
                "authorizer": authorizer,
            },
            "pathParameters": None,
            "multiValueQueryStringParameters": None,
            "headers": {"content-type": "application/x-amz-json-1.1", "x-amz-target": target},
            "body": body,
            "isBase64Encoded": False,
            "stageVariables": None,
        }
        response: dict[str, Any] = app(event, CONTEXT)
        response["multiValueHeaders"] |= {name: [text] for name, text in response["headers"].items()}
        return response


def assert_output(operation: str, output: Any) -> None:
    """The model knows every member of an output, with its type, and misses none."""
    report = ParamValidator().validate(output, service_model().operation_model(operation).output_shape)
    assert not report.has_errors(), report.generate_report()


def install(service: Service, fake_container: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the app and the functions behind it use this container."""
    for module in (
        middleware,
        idempotency,
        serve,
        images,
        collections,
        collection_faces,
        tokens,
        users,
        predict,
        enrol,
        erase,
    ):
        monkeypatch.setattr(module, "container", lambda: fake_container)
    monkeypatch.setenv("CORS_ORIGIN", "")
