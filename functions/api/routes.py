"""Every operation, and how Chalice gets to know them."""

from functools import partial
from time import perf_counter
from typing import Any

from chalice import Blueprint, Response

from functions.api import openapi as described
from functions.api.middleware import serve
from functions.api.operation import MODERN_IMAGE_TYPES, Operation
from functions.api.problems import Forbidden, Headers
from functions.api.resources import (
    alerts,
    drops,
    health,
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
from functions.api.resources import (
    drops as labels,
)
from functions.api.resources import (
    lanes as operations,
)
from functions.api.resources import (
    people as tags,
)
from functions.authorizer import on_token
from functions.runtime import wiring_api as wiring
from functions.runtime.settings import settings
from functions.runtime.wiring_core import deadline

trigger = Blueprint(__name__)

DOCUMENTED_OPERATIONS: tuple[Operation, ...] = (
    *health.OPERATIONS,
    *drops.OPERATIONS,
    *labels.LABEL_OPERATIONS,
    *sightings.OPERATIONS,
    *thumbnails.OPERATIONS,
    *alerts.OPERATIONS,
    *rules.OPERATIONS,
    *people.OPERATIONS,
    *tags.TAG_OPERATIONS,
    *predict.OPERATIONS,
    *status.OPERATIONS,
    *operations.OPERATIONS,
    *models.OPERATIONS,
    *trainings.OPERATIONS,
    *subscriptions.OPERATIONS,
)
"""What the API's own description describes."""

ALL_OPERATIONS = (*DOCUMENTED_OPERATIONS, *described.documentation_operations(DOCUMENTED_OPERATIONS))

BINARY_MEDIA_TYPES = ["multipart/form-data", *MODERN_IMAGE_TYPES]
"""Besides Chalice's own: what API Gateway hands over as bytes."""

ANY_TYPE = ["*/*"]
"""Types are checked by each operation, which answers in our own words."""


def register_routes(blueprint: Blueprint, operations: tuple[Operation, ...]) -> None:
    """A route for each operation; those that need a token ask the authorizer."""
    for operation in operations:
        view = partial(_serve_operation, operation)
        view.__name__ = operation.name.replace("-", "_")  # type: ignore[attr-defined]  # Chalice asks for it
        blueprint.route(
            operation.path,
            methods=[operation.method],
            content_types=ANY_TYPE,
            authorizer=None if operation.role is None else on_token,
        )(view)


def register_preflights(blueprint: Blueprint, operations: tuple[Operation, ...]) -> None:
    """A route on each path for browsers that ask whether another origin may call."""
    for number, path in enumerate(dict.fromkeys(operation.path for operation in operations)):
        methods = ", ".join(one.method for one in operations if one.path == path)
        view = partial(_preflight, methods)
        view.__name__ = f"preflight_{number}"  # type: ignore[attr-defined]  # Chalice asks for it
        blueprint.route(path, methods=["OPTIONS"], content_types=ANY_TYPE)(view)


def _preflight(methods: str, **_path: Any) -> Response:
    """What the one origin that is configured may send; nothing for any other."""
    origin = settings().cors_origin
    request_origin = trigger.current_request.headers.get("origin")
    if not origin or request_origin != origin:
        return Forbidden("other origins may not call").response()
    headers: Headers = {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key",
        "Access-Control-Max-Age": "600",
    }
    return Response("", headers=headers, status_code=204)


def _serve_operation(operation: Operation, **_path: Any) -> Response:
    started_s, calls_before = perf_counter(), deadline().attempts
    response = serve(operation, trigger.current_request)
    took_ms = round((perf_counter() - started_s) * 1000, 1)
    fields = {"operation": operation.name, "status": response.status_code, "took_ms": took_ms}
    fields["aws_calls"] = deadline().attempts - calls_before
    wiring.logger().info("request", extra=fields)
    return response


register_routes(trigger, ALL_OPERATIONS)
register_preflights(trigger, ALL_OPERATIONS)
