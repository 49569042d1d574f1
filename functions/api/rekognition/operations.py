"""The operations of Rekognition that are answered here: each is a function from its input to its output."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from functions.api.operation import BoundTokens
from vigil.access.roles import Caller, Role

Input = Mapping[str, Any]
Output = dict[str, Any]
Handler = Callable[[Caller, Input], Output]


@dataclass(frozen=True, slots=True)
class RekognitionOperation:
    """One operation.

    name           as Rekognition names it: `DetectFaces`
    role           the lowest role that may call it
    bound_tokens   as of the operations below /v1
    audited_names  members of the input that the audit log records
    """

    name: str
    handler: Handler
    role: Role
    bound_tokens: BoundTokens
    audited_names: tuple[str, ...]

    def audit_details(self, request: Input) -> dict[str, str]:
        return {name: str(request[name]) for name in self.audited_names if name in request}


OPERATIONS: dict[str, RekognitionOperation] = {}


def rekognition_operation(
    *, role: Role, bound_tokens: BoundTokens = "gallery", audited_names: tuple[str, ...] = ("CollectionId",)
) -> Callable[[Handler], Handler]:
    """Register the decorated function, whose name is the operation's in snake case."""

    def register(handler: Handler) -> Handler:
        name = "".join(word.capitalize() for word in handler.__name__.split("_"))
        OPERATIONS[name] = RekognitionOperation(name, handler, role, bound_tokens, audited_names)
        return handler

    return register
