"""What happens to a request in Rekognition's protocol: authorization, rate limit, validation and audit."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from chalice import Response
from chalice.app import Request

from functions.api.middleware import authorize
from functions.api.problems import Conflict, Problem, RequestInProgress
from functions.api.rekognition import (  # noqa: F401 - they register their operations
    collection_faces,
    collections,
    faces,
    users,
)
from functions.api.rekognition.errors import CONTENT_TYPE, RekognitionError, to_rekognition_error
from functions.api.rekognition.operations import OPERATIONS, Input, RekognitionOperation
from functions.api.rekognition.shapes import parse_request
from functions.runtime.container import container
from vigil.access.roles import Caller
from vigil.errors import VigilError

TARGET_PREFIX = "RekognitionService."
IDEMPOTENCY_MEMBER = "ClientRequestToken"


def serve_rekognition(request: Request) -> Response:
    """The output of the operation that the header X-Amz-Target names, or an error of Rekognition."""
    try:
        return _handle(request)
    except (VigilError, Problem) as error:
        return to_rekognition_error(error).response()


def _handle(request: Request) -> Response:
    operation = _find_operation(request.headers.get("x-amz-target", ""))
    caller = authorize(operation, request)
    parsed = parse_request(operation.name, request.raw_body)
    container().audit_log.append(
        caller, f"rekognition:{operation.name}", operation.audit_details(parsed), datetime.now(UTC)
    )
    run = partial(_call_handler, operation, caller, parsed)
    return _run_once(run, operation, caller, parsed, request) if IDEMPOTENCY_MEMBER in parsed else run()


def _run_once(
    run: Callable[[], Response],
    operation: RekognitionOperation,
    caller: Caller,
    parsed: Input,
    request: Request,
) -> Response:
    """The response, or that of an earlier request with the token; boto3 repeats a request with its token."""
    from functions.api.idempotency import run_request_once  # noqa: PLC0415 - its import takes 85 ms

    payload = {name: one for name, one in parsed.items() if name != IDEMPOTENCY_MEMBER}
    identity = {
        "caller": caller.id,
        "operation": f"rekognition:{operation.name}",
        "key": parsed[IDEMPOTENCY_MEMBER],
    }
    try:
        return run_request_once(run, identity | {"payload": payload}, request.lambda_context)
    except RequestInProgress as error:
        raise RekognitionError(
            "ThrottlingException", "a request with this token is being executed"
        ) from error
    except Conflict as error:
        raise RekognitionError(
            "IdempotentParameterMismatchException", "another request used this ClientRequestToken"
        ) from error


def _call_handler(operation: RekognitionOperation, caller: Caller, parsed: Input) -> Response:
    output = operation.handler(caller, parsed)
    return Response(json.dumps(output), headers={"Content-Type": CONTENT_TYPE})


def _find_operation(target: str) -> RekognitionOperation:
    """Raises RekognitionError with the name that AWS JSON 1.1 has for it: UnknownOperationException."""
    operation = OPERATIONS.get(target.removeprefix(TARGET_PREFIX))
    if operation is None or not target.startswith(TARGET_PREFIX):
        names = ", ".join(sorted(OPERATIONS))
        raise RekognitionError(
            "UnknownOperationException", f"{target[:80]!r} is not available; there are: {names}"
        )
    return operation
