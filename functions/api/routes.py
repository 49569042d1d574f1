"""Every operation, and how Chalice gets to know them."""

from functools import partial
from time import perf_counter
from typing import Any

from chalice import Blueprint, Response

from functions.api import (
    alerts,
    described,
    drops,
    health,
    labels,
    models,
    operations,
    people,
    predict,
    rules,
    sightings,
    status,
    subscriptions,
    tags,
    thumbnails,
    trainings,
    wiring,
)
from functions.api.operation import PICTURES, Operation
from functions.api.problems import Forbidden, Headers
from functions.api.serving import served
from functions.authorizer import on_token
from functions.settings import settings
from functions.wiring import deadline

trigger = Blueprint(__name__)

DESCRIBED: tuple[Operation, ...] = (
    *health.OPERATIONS,
    *drops.OPERATIONS,
    *labels.OPERATIONS,
    *sightings.OPERATIONS,
    *thumbnails.OPERATIONS,
    *alerts.OPERATIONS,
    *rules.OPERATIONS,
    *people.OPERATIONS,
    *tags.OPERATIONS,
    *predict.OPERATIONS,
    *status.OPERATIONS,
    *operations.OPERATIONS,
    *models.OPERATIONS,
    *trainings.OPERATIONS,
    *subscriptions.OPERATIONS,
)
"""What the API's own description describes."""

OPERATIONS = (*DESCRIBED, *described.operations(DESCRIBED))

MEDIA_TYPES = ["multipart/form-data", *PICTURES]
"""Besides Chalice's own: what API Gateway hands over as bytes."""

ANY_TYPE = ["*/*"]
"""Types are checked by each operation, which answers in our own words."""


def register(blueprint: Blueprint, operations: tuple[Operation, ...]) -> None:
    """A route for each operation; those that need a token ask the authorizer."""
    for operation in operations:
        view = partial(_view, operation)
        view.__name__ = operation.name.replace("-", "_")  # type: ignore[attr-defined]  # Chalice asks for it
        blueprint.route(
            operation.path,
            methods=[operation.method],
            content_types=ANY_TYPE,
            authorizer=None if operation.role is None else on_token,
        )(view)


def preflights(blueprint: Blueprint, operations: tuple[Operation, ...]) -> None:
    """A route on each path for browsers that ask whether another origin may call."""
    for number, path in enumerate(dict.fromkeys(operation.path for operation in operations)):
        methods = ", ".join(one.method for one in operations if one.path == path)
        view = partial(_preflight, methods)
        view.__name__ = f"preflight_{number}"  # type: ignore[attr-defined]  # Chalice asks for it
        blueprint.route(path, methods=["OPTIONS"], content_types=ANY_TYPE)(view)


def _preflight(methods: str, **_path: Any) -> Response:
    """What the one origin that is configured may send; nothing for any other."""
    origin = settings().cors_origin
    asking = trigger.current_request.headers.get("origin")
    if not origin or asking != origin:
        return Forbidden("other origins may not call").response()
    headers: Headers = {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key",
        "Access-Control-Max-Age": "600",
    }
    return Response("", headers=headers, status_code=204)


def _view(operation: Operation, **_path: Any) -> Response:
    began, asked = perf_counter(), deadline().asked
    response = served(operation, trigger.current_request)
    took_ms = round((perf_counter() - began) * 1000, 1)
    fields = {"operation": operation.name, "status": response.status_code, "took_ms": took_ms}
    fields["aws_calls"] = deadline().asked - asked
    wiring.logger().info("answered", extra=fields)
    return response


register(trigger, OPERATIONS)
preflights(trigger, OPERATIONS)
