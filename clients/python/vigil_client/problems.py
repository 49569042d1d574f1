"""What the API says when something went wrong (RFC 9457), as exceptions."""

from collections.abc import Mapping
from typing import Any


class Problem(Exception):
    """An answer that is no success; `type` is stable, `remedy` says what to do."""

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
    """401: a good token is needed."""


class Forbidden(Problem):
    """403: the role does not allow it."""


class NotFound(Problem):
    """404: there is none, or it is not yours to see."""


class Conflict(Problem):
    """409: it has changed meanwhile, or has been decided."""


class UnprocessableContent(Problem):
    """422: understood, and not possible with this content; `reason` says why."""


PROBLEM_BY_STATUS: Mapping[int, type[Problem]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: UnprocessableContent,
}


def problem_from_response(status: int, body: Any) -> Problem:
    """The exception for an answer."""
    fields = body if isinstance(body, Mapping) else {"title": "not JSON"}
    return PROBLEM_BY_STATUS.get(status, Problem)({"status": status, **fields})
