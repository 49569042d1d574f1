"""Error responses of the API (RFC 9457), each with a stable type and a remedy.

Problem
├── InvalidRequest, InvalidCursor                   400
├── NotAuthenticated                                 401
├── Forbidden                                       403
├── NotFound                                        404
├── MethodNotAllowed, NotAcceptable                 405, 406
├── Conflict (NameConflict, AlertDecided)             409
├── RequestInProgress                               409
├── TooLarge, UnsupportedMediaType                  413, 415
├── UnprocessableContent                            422
├── TooManyRequests, CapacityExceeded               429
└── ServiceUnavailable                              503
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from chalice import Response

PROBLEM_TYPE_PREFIX = "urn:vigil:problem:"
PROBLEM_MEDIA_TYPE = "application/problem+json"
Headers = dict[str, str | list[str]]


class Problem(Exception):
    """An error response; without a subclass, 500.

    retry_s  seconds after which the client may retry, sent as Retry-After
    """

    name: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal server error"
    remedy: ClassVar[str] = "Retry later. Search the logs for the request id to find the cause."

    def __init__(self, detail: str = "", *, retry_s: float = 0.0, **more: Any) -> None:
        super().__init__(detail)
        self.detail, self.retry_s, self.extensions = detail, retry_s, more

    def body(self) -> dict[str, Any]:
        body = {"type": PROBLEM_TYPE_PREFIX + self.name, "title": self.title, "status": self.status}
        body |= {"detail": self.detail} if self.detail else {}
        return body | {"remedy": self.remedy} | self.extensions

    def response(self) -> Response:
        headers: Headers = {"Content-Type": PROBLEM_MEDIA_TYPE}
        if self.retry_s:
            headers["Retry-After"] = str(max(1, round(self.retry_s)))
        return Response(json.dumps(self.body()), headers=headers, status_code=self.status)


class InvalidRequest(Problem):
    name, status, title = "invalid-request", 400, "Invalid request"
    remedy = "Correct the fields in `errors`; /v1/openapi.json describes them."


class InvalidCursor(Problem):
    name, status, title = "invalid-cursor", 400, "Invalid cursor"
    remedy = "Start again without a cursor, and use the same filters for all pages."


class NotAuthenticated(Problem):
    name, status, title = "unauthorized", 401, "Unauthorized"
    remedy = "Set the clock of the token's issuer, and request a new token."


class Forbidden(Problem):
    name, status, title = "forbidden", 403, "Forbidden"
    remedy = "Ask an administrator for the role or the sources that the operation requires."


class NotFound(Problem):
    name, status, title = "not-found", 404, "Not found"
    remedy = "Check the id and the sources of the token. Expired data is deleted."


class MethodNotAllowed(Problem):
    name, status, title = "method-not-allowed", 405, "Method not allowed"
    remedy = "Use one of the methods in the Allow header."


class NotAcceptable(Problem):
    name, status, title = "not-acceptable", 406, "Not acceptable"
    remedy = "Send Accept: image/jpeg."


class Conflict(Problem):
    name, status, title = "conflict", 409, "Conflict with the current state"
    remedy = "Read the resource again, and repeat the request if it still applies."


class NameConflict(Conflict):
    name, title = "name-taken", "Another person in the gallery has this name"
    remedy = "Use another name, or enrol photos for that person, whom GET /v1/people?name=... finds."


class AlertDecided(Conflict):
    name, title = "alert-decided", "The alert is closed, or the caller has reviewed it"
    remedy = "Read the alert: its reviews say who decided what; another reviewer must give the next one."


class RequestInProgress(Problem):
    name, status, title = "request-in-progress", 409, "A request with this Idempotency-Key is in progress"
    remedy = "Repeat the same request later to get the response of the first one."


class TooLarge(Problem):
    name, status, title = "too-large", 413, "Content too large"
    remedy = "Upload large files with POST /v1/uploads."


class UnsupportedMediaType(Problem):
    name, status, title = "unsupported-media-type", 415, "Unsupported media type"
    remedy = "Send application/json, or one of the media types that the operation accepts."


class UnprocessableContent(Problem):
    name, status, title = "unprocessable-content", 422, "Unprocessable content"
    remedy = "Change the content; `reason` states why it was rejected."


class TooManyRequests(Problem):
    name, status, title = "too-many-requests", 429, "Too many requests"
    remedy = "Retry after the number of seconds in Retry-After."


class CapacityExceeded(Problem):
    name, status, title = "capacity-exceeded", 429, "All workers are busy"
    remedy = "Retry after the number of seconds in Retry-After, or use a lane, which queues its input."


class ServiceUnavailable(Problem):
    name, status, title = "unavailable", 503, "Service unavailable"
    remedy = "Retry after the number of seconds in Retry-After, with the same Idempotency-Key."


def problem_from_chalice(status: int, body: Mapping[str, Any]) -> Problem:
    """Convert an error response of Chalice."""
    by_status: dict[int, type[Problem]] = {
        404: NotFound,
        405: MethodNotAllowed,
        413: TooLarge,
        415: UnsupportedMediaType,
    }
    problem = by_status.get(status, Problem if status >= 500 else InvalidRequest)
    return problem(str(body.get("Message", "")) if status < 500 else "")
