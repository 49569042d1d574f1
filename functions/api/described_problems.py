"""Problems as OpenAPI describes them: their shape, and what each status may mean."""

from collections.abc import Iterable
from typing import Any

from functions.api.problems import MEDIA, PREFIX, Problem, TooMany, Unavailable

Doc = dict[str, Any]

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "way_out"],
    "properties": {
        "type": {"type": "string", "pattern": f"^{PREFIX}[a-z-]+$", "description": "What it is; stable"},
        "title": {"type": "string", "description": "The same, for people"},
        "status": {"type": "integer", "description": "The answer's status code"},
        "detail": {"type": "string", "description": "What is particular to this one"},
        "way_out": {"type": "string", "description": "What can be done about it"},
        "reason": {"type": "string", "description": "Why it was refused; stable"},
        "errors": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Each place of the request that cannot be read: at, message",
        },
        "boxes_px": {
            "type": "array",
            "items": {"type": "array", "items": {"type": "number"}},
            "description": "Where in the photo the reason is: left, top, right, bottom",
        },
    },
}

_LATER = (TooMany.status, Unavailable.status)
_RETRY = {
    "Retry-After": {
        "description": "Seconds to wait before it is worth asking again",
        "schema": {"type": "integer", "minimum": 1},
    }
}


class Unauthorized(Problem):
    """API Gateway's own answer, where the authorizer finds no good token."""

    name, status, title = "unauthorized", 401, "A good token is needed"
    way_out = "Send Authorization: Bearer with a token of the configured issuer that has not expired."


def answered(problems: Iterable[type[Problem]]) -> dict[str, Doc]:
    """What each status says, once for all operations."""
    kinds: dict[int, dict[str, type[Problem]]] = {}
    for problem in problems:
        kinds.setdefault(problem.status, {})[problem.title] = problem
    return {
        f"Problem{status}": {
            "description": "; or ".join(sorted(said)),
            **({"headers": _RETRY} if status in _LATER else {}),
            "content": {
                MEDIA: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {
                        kind.name: {"summary": title, "value": kind().body()}
                        for title, kind in sorted(said.items())
                    },
                }
            },
        }
        for status, said in sorted(kinds.items())
    }
