"""What happens to a request in Rekognition's protocol: authorization, rate limit, validation and audit."""

import json
from datetime import UTC, datetime

from chalice import Response
from chalice.app import Request

from functions.api.middleware import authorize
from functions.api.problems import Problem
from functions.api.rekognition import (  # noqa: F401 - they register their operations
    collection_faces,
    collections,
    faces,
)
from functions.api.rekognition.errors import CONTENT_TYPE, RekognitionError, to_rekognition_error
from functions.api.rekognition.operations import OPERATIONS, Output, RekognitionOperation
from functions.api.rekognition.shapes import parse_request
from functions.runtime.container import container
from vigil.errors import VigilError

TARGET_PREFIX = "RekognitionService."


def serve_rekognition(request: Request) -> Response:
    """The output of the operation that the header X-Amz-Target names, or an error of Rekognition."""
    try:
        output = _handle(request)
    except (VigilError, Problem) as error:
        return to_rekognition_error(error).response()
    return Response(json.dumps(output), headers={"Content-Type": CONTENT_TYPE})


def _handle(request: Request) -> Output:
    operation = _find_operation(request.headers.get("x-amz-target", ""))
    caller = authorize(operation, request)
    parsed = parse_request(operation.name, request.raw_body)
    container().audit_log.append(
        caller, f"rekognition:{operation.name}", operation.audit_details(parsed), datetime.now(UTC)
    )
    return operation.handler(caller, parsed)


def _find_operation(target: str) -> RekognitionOperation:
    """Raises RekognitionError with the name that AWS JSON 1.1 has for it: UnknownOperationException."""
    operation = OPERATIONS.get(target.removeprefix(TARGET_PREFIX))
    if operation is None or not target.startswith(TARGET_PREFIX):
        names = ", ".join(sorted(OPERATIONS))
        raise RekognitionError(
            "UnknownOperationException", f"{target[:80]!r} is not available; there are: {names}"
        )
    return operation
