"""An operation of the API as data: what serves it, what it takes and answers, who may, what is audited."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from functions.api.problems import Problem
from vigil.access.roles import Caller, Role

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

PATH_PARAMETER_PATTERNS = {
    "drop": r"[0-9a-f]{32}",
    "alert": r"[0-9a-f]{32}",
    "person": r"p-[0-9a-f]{12}",
    "upload": r"[A-Za-z0-9_-]{24,400}",
    "thumbnail": r"[A-Za-z0-9_-]{24,1000}",
    "model": r"[a-z0-9][a-z0-9-]{0,62}",
    "release": r"[0-9a-f]{16}",
    "lane": r"live|bulk",
    "subscription": r"[0-9a-f-]{36}",
    "letter": r"[A-Za-z0-9_-]{24,4000}",
}
"""What a path's parameters look like; anything else is not found."""

PATH_PARAMETER_DESCRIPTIONS = {
    "drop": "Id of the drop",
    "alert": "Id of the alert",
    "person": "Id of the person",
    "upload": "What POST /v1/uploads called it",
    "thumbnail": "A sealed link, as sightings and drops show it",
    "model": "Name of the model",
    "release": "The beginning of its files' SHA-256",
    "lane": "live, or bulk for what may wait",
    "subscription": "Id of the subscription",
    "letter": "Id of the dead letter",
}
"""The same in words."""

TAG_DESCRIPTIONS = {
    "uploads": "Forms that put a photo into a lane",
    "drops": "What became of each photo, message or object",
    "sightings": "Who and what was seen, where and when",
    "thumbnails": "Small pictures behind links that expire",
    "alerts": "What rules picked out, and what people decided",
    "rules": "The watch file: sources, hours, what raises an alert",
    "people": "Who is enrolled, from which photos, on which lists",
    "predict": "Models asked directly",
    "models": "Models, their releases and trainings",
    "status": "How the system is",
    "lanes": "Lanes, and what failed in them for good",
    "reconcile": "Bucket and ledger compared",
    "backfill": "Objects that lie there shown to a model",
    "subscriptions": "Who is told of what happens",
    "health": "Whether the API answers",
}
"""What the operations of a path are about, by its first part; in the order of the reference page."""

JSON_TYPE = "application/json"
MODERN_IMAGE_TYPES = ("image/webp", "image/avif")
"""What browsers name first when they ask for any picture; API Gateway has to be told that they are bytes."""

BINARY_RESPONSE_TYPES = ("image/jpeg", "image/png", "image/gif", *MODERN_IMAGE_TYPES)

MAX_JSON_BYTES = 256 * 1024
MAX_IMAGE_BYTES = 4_400_000
"""Lambda takes 6 MB a request, and API Gateway hands bytes over as base64."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked: who, about what, with which bytes."""

    caller: Caller
    path: Mapping[str, str]
    body: bytes = b""
    media_type: str = JSON_TYPE
    base_url: str = ""
    accept: str = ""

    @property
    def accepts_images(self) -> bool:
        """Whether API Gateway will send a picture as bytes: it looks at the type that is named first."""
        return self.accept.split(",")[0].split(";")[0].strip().lower() in BINARY_RESPONSE_TYPES


@dataclass(frozen=True, slots=True)
class FileResponse:
    """An answer that is no JSON."""

    content: str | bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


HandlerResult = BaseModel | FileResponse | None
OperationHandler = Callable[..., HandlerResult]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    name     in kebab case, as the audit log has it
    role     the least that may; None: anybody, without a token
    takes    the query string of a GET or DELETE, else the JSON body; handed to `serve` after the call
    media    what a body may be besides JSON
    gives    what an answer is that is no JSON
    audited  reads of people and faces: written down before they are told; decisions: before they happen
    everywhere  concerns all sources at once: not for a token that is bound to some
    example  of what it takes; the tests send it
    """

    method: Method
    path: str
    name: str
    summary: str
    handler: OperationHandler
    role: Role | None = "viewer"
    request_model: type[BaseModel] | None = None
    response_model: type[BaseModel] | None = None
    status: int = 200
    body_types: tuple[str, ...] = ()
    media_type: str = ""
    audited: bool = False
    all_sources: bool = False
    example: Mapping[str, Any] | None = None
    problems: tuple[type[Problem], ...] = ()

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(re.findall(r"{(\w+)}", self.path))

    @property
    def in_query(self) -> bool:
        return self.method in ("GET", "DELETE")

    @property
    def max_bytes(self) -> int:
        return MAX_IMAGE_BYTES if self.body_types else MAX_JSON_BYTES

    @property
    def tag(self) -> str:
        return self.path.split("/")[2]


def is_well_formed(path: Mapping[str, str]) -> bool:
    """Whether every parameter of a path could be one."""
    return all(re.fullmatch(PATH_PARAMETER_PATTERNS[name], text) for name, text in path.items())
