"""Error responses with the names of Amazon Rekognition, and what Vigil's own errors become."""

import json
from typing import Any

from chalice import Response

from cloud.lambda_api import FunctionThrottled
from functions.api.problems import Forbidden, Problem, TooLarge, TooManyRequests
from vigil.errors import Rejected, Transient, VigilError

CONTENT_TYPE = "application/x-amz-json-1.1"
RETRYABLE_FAULTS = ("InternalServerError", "ThrottlingException")
"""Rekognition's model marks both as faults of the server; SDKs retry them."""

CODE_BY_REASON = {
    "object-not-found": "InvalidS3ObjectException",
    "unroutable-key": "InvalidS3ObjectException",
    "object-too-large": "ImageTooLargeException",
    "too-many-pixels": "ImageTooLargeException",
    "unknown-model": "ResourceNotFoundException",
    "face-not-found": "InvalidParameterException",
    "user-not-found": "ResourceNotFoundException",
    "too-many-faces": "ServiceQuotaExceededException",
}
"""By the reason of a rejection; every other one says that the image cannot be read."""


class RekognitionError(VigilError):
    """An error response; `code` is the name of one of Rekognition's exceptions."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def response(self) -> Response:
        body = {"__type": self.code, "Code": self.code, "Message": str(self)}
        headers: dict[str, str | list[str]] = {"Content-Type": CONTENT_TYPE, "x-amzn-ErrorType": self.code}
        status = 500 if self.code in RETRYABLE_FAULTS else 400
        return Response(json.dumps(body), headers=headers, status_code=status)


class InvalidParameter(RekognitionError):
    """A value that Rekognition's service model or documentation does not allow."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidParameterException", message)


class InvalidS3Object(RekognitionError):
    """An object that is not there, or that the caller cannot access."""

    def __init__(self) -> None:
        super().__init__(
            "InvalidS3ObjectException",
            "Unable to get object metadata from S3. Use an object below live/ or bulk/ of the photos bucket, "
            "of a source that the token can access.",
        )


def error_from_rejection(reason: str, message: str) -> RekognitionError:
    return RekognitionError(CODE_BY_REASON.get(reason, "InvalidImageFormatException"), message)


def to_rekognition_error(error: VigilError | Problem) -> RekognitionError:
    """The error that a client of Rekognition understands."""
    match error:
        case RekognitionError():
            return error
        case Rejected():
            return error_from_rejection(error.reason, str(error))
        case FunctionThrottled():
            return RekognitionError("ThrottlingException", "All workers are busy; try again.")
        case Transient():
            return RekognitionError("InternalServerError", "A dependency failed; try again.")
        case Problem():
            return _error_from_problem(error)
    raise error


def _error_from_problem(problem: Problem) -> RekognitionError:
    codes: dict[type[Problem], str] = {
        Forbidden: "AccessDeniedException",
        TooManyRequests: "ThrottlingException",
        TooLarge: "ImageTooLargeException",
    }
    extensions: dict[str, Any] = problem.extensions
    if "reason" in extensions:
        return error_from_rejection(extensions["reason"], problem.detail)
    return RekognitionError(
        codes.get(type(problem), "InvalidParameterException"), problem.detail or problem.title
    )
