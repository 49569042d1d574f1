"""What the API says when something went wrong (RFC 9457), as exceptions."""

from collections.abc import Mapping
from typing import Any


class Problem(Exception):
    """An answer that is no success; `type` is stable, `way_out` says what to do."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.type = str(said.get("type", "about:blank"))
        self.status = int(said.get("status", 0))
        self.title = str(said.get("title", ""))
        self.detail = str(said.get("detail", ""))
        self.reason = str(said.get("reason", ""))
        self.way_out = str(said.get("way_out", ""))
        self.said = dict(said)
        super().__init__(f"{self.status} {self.title}: {self.detail or self.way_out}")


class Unauthorized(Problem):
    """401: a good token is needed."""


class Forbidden(Problem):
    """403: the role does not allow it."""


class NotFound(Problem):
    """404: there is none, or it is not yours to see."""


class Conflict(Problem):
    """409: it has changed meanwhile, or has been decided."""


class Refused(Problem):
    """422: understood, and not possible with this content; `reason` says why."""


BY_STATUS: Mapping[int, type[Problem]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Refused,
}


def problem(status: int, said: Any) -> Problem:
    """The exception for an answer."""
    told = said if isinstance(said, Mapping) else {"title": "not JSON"}
    return BY_STATUS.get(status, Problem)({"status": status, **told})
