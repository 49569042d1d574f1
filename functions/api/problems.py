"""Everything that an answer can say went wrong (RFC 9457), each with a stable type and a way out.

Problem
├── Invalid, BadCursor             400  the request cannot be meant
├── Forbidden                      403  the role does not allow it
├── NotFound                       404  there is none, or it is not the caller's to see
├── NotAcceptable                  406  the answer would be no use
├── Conflict, StillRunning         409  the world has moved on
├── TooLarge, WrongMedia           413, 415
├── Refused                        422  understood, and not possible with this content
├── TooMany, Busy                  429  later
└── Unavailable                    503  our fault, and it may pass
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from chalice import Response

PROBLEM_TYPE_PREFIX = "urn:vigil:problem:"
PROBLEM_MEDIA_TYPE = "application/problem+json"
Headers = dict[str, str | list[str]]


class Problem(Exception):
    """An answer that is no success."""

    name: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something broke on our side"
    remedy: ClassVar[str] = "Try again later; the request id finds it in our logs."

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
    name, status, title = "invalid-request", 400, "The request cannot be read"
    remedy = "See /v1/openapi.json for what may stand there; `errors` names each place."


class InvalidCursor(Problem):
    name, status, title = "invalid-cursor", 400, "The cursor is not one that was handed out for this list"
    remedy = "Ask again without a cursor, with the same filters throughout."


class Forbidden(Problem):
    name, status, title = "forbidden", 403, "Your role does not allow this"
    remedy = "Ask an administrator for the role that the operation names in /v1/openapi.json."


class NotFound(Problem):
    name, status, title = "not-found", 404, "There is no such thing, or it is not yours to see"
    remedy = "Check the id; what is past its retention is gone."


class MethodNotAllowed(Problem):
    name, status, title = "method-not-allowed", 405, "The resource knows no such method"
    remedy = "See /v1/openapi.json for the methods of each path."


class NotAcceptable(Problem):
    name, status, title = "not-acceptable", 406, "It cannot be sent as you would have it"
    remedy = "Name the type in the request: Accept: image/jpeg."


class Conflict(Problem):
    name, status, title = "conflict", 409, "It has changed meanwhile, or has been decided already"
    remedy = "Read it again, and decide anew."


class RequestInProgress(Problem):
    name, status, title = (
        "request-in-progress",
        409,
        "A request with this Idempotency-Key is still being worked on",
    )
    remedy = "Repeat it unchanged in a moment: the answer will be that of the first."


class TooLarge(Problem):
    name, status, title = "too-large", 413, "The body is too large"
    remedy = "Upload large files with POST /v1/uploads and refer to them."


class UnsupportedMediaType(Problem):
    name, status, title = "unsupported-media-type", 415, "The body is of a type that is not read here"
    remedy = "Send application/json, unless the operation names others."


class UnprocessableContent(Problem):
    name, status, title = (
        "unprocessable-content",
        422,
        "It was understood, and is not possible with this content",
    )
    remedy = "`reason` says why; change the content."


class TooManyRequests(Problem):
    name, status, title = "too-many-requests", 429, "You have asked too often this minute"
    remedy = "Wait for as many seconds as Retry-After says."


class CapacityExceeded(Problem):
    name, status, title = "capacity-exceeded", 429, "All workers for this are taken"
    remedy = "Wait for as many seconds as Retry-After says, or send it through a lane, which queues."


class ServiceUnavailable(Problem):
    name, status, title = "unavailable", 503, "A service that this needs does not answer"
    remedy = "Wait for as many seconds as Retry-After says, and repeat with the same Idempotency-Key."


def problem_from_chalice(status: int, body: Mapping[str, Any]) -> Problem:
    """The problem in an error that Chalice itself answered with."""
    kinds: dict[int, type[Problem]] = {
        404: NotFound,
        405: MethodNotAllowed,
        413: TooLarge,
        415: UnsupportedMediaType,
    }
    kind = kinds.get(status, Problem if status >= 500 else InvalidRequest)
    return kind(str(body.get("Message", "")) if status < 500 else "")
