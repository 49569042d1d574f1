"""Error responses of the API (RFC 9457) as exceptions."""

from collections.abc import Mapping
from typing import Any


class ApiUnreachable(Exception):
    """There was no answer, also after retries, or one that is not the API's."""


class Problem(Exception):
    """An error response; `type` is stable, `remedy` states what the client can do."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.type = str(body.get("type", "about:blank"))
        self.status = int(body.get("status", 0))
        self.title = str(body.get("title", ""))
        self.detail = str(body.get("detail", ""))
        self.reason = str(body.get("reason", ""))
        self.remedy = str(body.get("remedy", ""))
        self.body = dict(body)
        super().__init__(f"{self.status} {self.title}: {self.detail or self.remedy}")


class Unauthorized(Problem):
    """401: the token is missing, invalid or expired."""


class Forbidden(Problem):
    """403: the role or the sources of the token do not allow the operation."""


class NotFound(Problem):
    """404: the resource does not exist, or the token cannot access it."""


class Conflict(Problem):
    """409: the resource was changed or decided by another request."""


class UnprocessableContent(Problem):
    """422: the content cannot be processed; `reason` states why."""


PROBLEM_BY_STATUS: Mapping[int, type[Problem]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: UnprocessableContent,
}


def problem_from_response(status: int, body: Any) -> Problem:
    """The exception for an error response."""
    fields = body if isinstance(body, Mapping) else {"title": "The response is not JSON"}
    return PROBLEM_BY_STATUS.get(status, Problem)({"status": status, **fields})
