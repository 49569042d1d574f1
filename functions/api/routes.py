"""The Chalice routes of all operations."""

from functools import partial
from time import perf_counter
from typing import Any

from chalice import Blueprint, Response

from functions.api.middleware import serve
from functions.api.operation import MODERN_IMAGE_TYPES, OPERATIONS, UNCOMMON_IMAGE_TYPES, Operation
from functions.api.problems import Forbidden, Headers
from functions.api.resources import (  # noqa: F401 - each module registers its operations
    alarms,
    alerts,
    audit,
    cameras,
    documentation,
    drops,
    faces,
    health,
    lanes,
    maintenance,
    me,
    metrics,
    models,
    people,
    predict,
    rules,
    sightings,
    status,
    subscriptions,
    thumbnails,
    trainings,
)
from functions.authorizer import on_token
from functions.runtime.container import container

trigger = Blueprint(__name__)

OPERATIONS.sort(key=lambda one: one.handler.__module__)  # whichever module was imported first
DOCUMENTED_OPERATIONS = tuple(one for one in OPERATIONS if one.documented)

BINARY_MEDIA_TYPES = ["multipart/form-data", *MODERN_IMAGE_TYPES, *UNCOMMON_IMAGE_TYPES]
"""Types that API Gateway passes as bytes, in addition to Chalice's defaults."""

ANY_TYPE = ["*/*"]
"""Each operation checks the media type itself and answers with a problem."""


def register_routes(blueprint: Blueprint) -> None:
    """Add one route for each operation; operations with a role use the authorizer."""
    for operation in OPERATIONS:
        view = partial(_serve_operation, operation)
        view.__name__ = operation.handler.__name__  # type: ignore[attr-defined]  # Chalice requires it
        blueprint.route(
            operation.path,
            methods=[operation.method],
            content_types=ANY_TYPE,
            authorizer=None if operation.role is None else on_token,
        )(view)


def register_rekognition(blueprint: Blueprint) -> None:
    """Add the route of Rekognition's protocol, whose operations stand in a header."""
    blueprint.route("/rekognition", methods=["POST"], content_types=ANY_TYPE, authorizer=on_token)(
        _serve_rekognition
    )


def register_preflights(blueprint: Blueprint) -> None:
    """Add one OPTIONS route for each path, which answers CORS preflight requests."""
    for number, path in enumerate(dict.fromkeys(operation.path for operation in OPERATIONS)):
        methods = ", ".join(one.method for one in OPERATIONS if one.path == path)
        view = partial(_preflight, methods)
        view.__name__ = f"preflight_{number}"  # type: ignore[attr-defined]  # Chalice requires it
        blueprint.route(path, methods=["OPTIONS"], content_types=ANY_TYPE)(view)


def _preflight(methods: str, **_path: Any) -> Response:
    """Allow the configured origin to call; refuse every other origin."""
    origin = container().settings.cors_origin
    request_origin = trigger.current_request.headers.get("origin")
    if not origin or request_origin != origin:
        return Forbidden("this origin is not allowed").response()
    headers: Headers = {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key",
        "Access-Control-Max-Age": "600",
    }
    return Response("", headers=headers, status_code=204)


def _serve_rekognition() -> Response:
    from functions.api.rekognition.serve import serve_rekognition  # noqa: PLC0415 - other requests need none of it

    return serve_rekognition(trigger.current_request)


def _serve_operation(operation: Operation, **_path: Any) -> Response:
    c = container()
    started_s, calls_before = perf_counter(), c.deadline.attempts
    response = serve(operation, trigger.current_request)
    took_ms = round((perf_counter() - started_s) * 1000, 1)
    fields = {"operation": operation.name, "status": response.status_code, "took_ms": took_ms}
    fields["aws_calls"] = c.deadline.attempts - calls_before
    c.logger.info("request", extra=fields)
    return response


register_routes(trigger)
register_rekognition(trigger)
register_preflights(trigger)
