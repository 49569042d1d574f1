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

PREFIX = "urn:vigil:problem:"
MEDIA = "application/problem+json"
Headers = dict[str, str | list[str]]


class Problem(Exception):
    """An answer that is no success."""

    name: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something broke on our side"
    way_out: ClassVar[str] = "Try again later; the request id finds it in our logs."

    def __init__(self, detail: str = "", *, retry_s: float = 0.0, **more: Any) -> None:
        super().__init__(detail)
        self.detail, self.retry_s, self.more = detail, retry_s, more

    def body(self) -> dict[str, Any]:
        said = {"type": PREFIX + self.name, "title": self.title, "status": self.status}
        said |= {"detail": self.detail} if self.detail else {}
        return said | {"way_out": self.way_out} | self.more

    def response(self) -> Response:
        headers: Headers = {"Content-Type": MEDIA}
        if self.retry_s:
            headers["Retry-After"] = str(max(1, round(self.retry_s)))
        return Response(json.dumps(self.body()), headers=headers, status_code=self.status)


class Invalid(Problem):
    name, status, title = "invalid-request", 400, "The request cannot be read"
    way_out = "See /v1/openapi.json for what may stand there; `errors` names each place."


class BadCursor(Problem):
    name, status, title = "bad-cursor", 400, "The cursor is not one that was handed out for this list"
    way_out = "Ask again without a cursor, with the same filters throughout."


class Forbidden(Problem):
    name, status, title = "forbidden", 403, "Your role does not allow this"
    way_out = "Ask an administrator for the role that the operation names in /v1/openapi.json."


class NotFound(Problem):
    name, status, title = "not-found", 404, "There is no such thing, or it is not yours to see"
    way_out = "Check the id; what is past its retention is gone."


class MethodNotAllowed(Problem):
    name, status, title = "method-not-allowed", 405, "The resource knows no such method"
    way_out = "See /v1/openapi.json for the methods of each path."


class NotAcceptable(Problem):
    name, status, title = "not-acceptable", 406, "It cannot be sent as you would have it"
    way_out = "Name the type in the request: Accept: image/jpeg."


class Conflict(Problem):
    name, status, title = "conflict", 409, "It has changed meanwhile, or has been decided already"
    way_out = "Read it again, and decide anew."


class StillRunning(Problem):
    name, status, title = "still-running", 409, "A request with this Idempotency-Key is still being worked on"
    way_out = "Repeat it unchanged in a moment: the answer will be that of the first."


class TooLarge(Problem):
    name, status, title = "too-large", 413, "The body is too large"
    way_out = "Upload large files with POST /v1/uploads and refer to them."


class WrongMedia(Problem):
    name, status, title = "unsupported-media-type", 415, "The body is of a type that is not read here"
    way_out = "Send application/json, unless the operation names others."


class Refused(Problem):
    name, status, title = "refused", 422, "It was understood, and is not possible with this content"
    way_out = "`reason` says why; change the content."


class TooMany(Problem):
    name, status, title = "too-many-requests", 429, "You have asked too often this minute"
    way_out = "Wait for as many seconds as Retry-After says."


class Busy(Problem):
    name, status, title = "busy", 429, "All workers for this are taken"
    way_out = "Wait for as many seconds as Retry-After says, or send it through a lane, which queues."


class Unavailable(Problem):
    name, status, title = "unavailable", 503, "A service that this needs does not answer"
    way_out = "Wait for as many seconds as Retry-After says, and repeat with the same Idempotency-Key."


def as_problem(status: int, said: Mapping[str, Any]) -> Problem:
    """The problem in an error that Chalice itself answered with."""
    kinds: dict[int, type[Problem]] = {404: NotFound, 405: MethodNotAllowed, 413: TooLarge, 415: WrongMedia}
    kind = kinds.get(status, Problem if status >= 500 else Invalid)
    return kind(str(said.get("Message", "")) if status < 500 else "")
