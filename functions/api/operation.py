"""The `@operation` decorator, the registry that it fills, and what handlers receive and return."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel

from functions.api.problems import Problem
from vigil.access.roles import Caller, Role

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

BoundTokens = Literal["refused", "gallery", "limited", "allowed"]
"""How an operation treats a token that is limited to some sources.

refused  the operation concerns all sources: rules, lanes, releases, the audit log
gallery  refused, unless the token names galleries; then the handler is limited to their people
limited  the handler returns and changes only what belongs to the sources of the token
allowed  the operation concerns no source
"""

PATH_PARAMETERS = {
    "drop": (r"[0-9a-f]{32}", "Id of the drop"),
    "alert": (r"[0-9a-f]{32}", "Id of the alert"),
    "person": (r"p-[0-9a-f]{12}", "Id of the person"),
    "photo": (r"[0-9a-f-]{36}", "Id of the enrolled photo"),
    "upload": (r"[A-Za-z0-9_-]{24,400}", "Id of the upload"),
    "thumbnail": (r"[A-Za-z0-9_-]{24,1000}", "Signed token from a `thumbnail_url`"),
    "model": (r"[a-z0-9][a-z0-9-]{0,62}", "Name of the model"),
    "release": (r"[0-9a-f]{32}", "Id of the release"),
    "lane": (r"live|bulk", "Name of the lane"),
    "message": (r"[A-Za-z0-9-]{1,100}", "SQS message id of the dead letter"),
    "run": (r"[0-9a-f]{32}", "Id of the run"),
    "source": (r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", "Name of the source"),
    "subscription": (r"[0-9a-f-]{36}", "Id of the subscription"),
}
"""Pattern and description of each path parameter; a value that does not match is answered with 404."""

JSON_TYPE = "application/json"
MODERN_IMAGE_TYPES = ("image/webp", "image/avif", "image/jxl", "image/heic", "image/apng")
"""Types that browsers list first in `Accept`; API Gateway must be configured to treat them as binary."""

UNCOMMON_IMAGE_TYPES = ("image/jpg", "image/pjpeg", "image/bmp", "image/x-ms-bmp", "image/tiff")
"""Types that clients derive from file names; API Gateway must be configured to treat them as binary."""

BINARY_RESPONSE_TYPES = ("image/jpeg", "image/png", "image/gif", *MODERN_IMAGE_TYPES)

MAX_JSON_BYTES = 256 * 1024
MAX_IMAGE_BYTES = 4_400_000
"""Lambda accepts requests of 6 MB, and API Gateway encodes binary bodies as base64."""


@dataclass(frozen=True, slots=True)
class Call:
    """One authorized and validated request.

    media_type  type of `body`; without parameters, except for multipart forms
    base_url    address of the API, to which `/v1/...` is appended in links
    """

    caller: Caller
    path: Mapping[str, str]
    body: bytes = b""
    media_type: str = JSON_TYPE
    base_url: str = ""
    accept: str = ""

    @property
    def accepts_images(self) -> bool:
        """Whether API Gateway returns an image as bytes: it checks only the first type in `Accept`."""
        return self.accept.split(",")[0].split(";")[0].strip().lower() in BINARY_RESPONSE_TYPES


@dataclass(frozen=True, slots=True)
class FileResponse:
    """A response that is not JSON."""

    content: str | bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


HandlerResult = BaseModel | FileResponse | None
Handler = Callable[..., HandlerResult]
AnyHandler = TypeVar("AnyHandler", bound=Handler)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    name           in kebab case: operationId and name in the audit log
    role           the lowest role that may call it; None: no token is needed
    request_model  the query string of a GET or DELETE, else the JSON body
    body_types     media types of a body besides JSON
    has_images     whether a JSON body contains images, so that it may be as long as one
    media_type     type of a response that is not JSON
    audited        reads are recorded before they are answered, writes before they are executed
    bound_tokens   what a token that is limited to some sources can do: see BoundTokens
    documented     whether the OpenAPI document contains it
    example        of the request model; tests send it
    problems       problems besides those that follow from the other fields
    """

    method: Method
    path: str
    handler: Handler
    name: str
    summary: str
    description: str
    request_model: type[BaseModel] | None
    response_model: type[BaseModel] | None
    role: Role | None
    bound_tokens: BoundTokens
    status: int = 200
    body_types: tuple[str, ...] = ()
    has_images: bool = False
    media_type: str = ""
    audited: bool = False
    documented: bool = True
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
        return MAX_IMAGE_BYTES if self.body_types or self.has_images else MAX_JSON_BYTES

    @property
    def tag(self) -> str:
        return self.path.split("/")[2]


OPERATIONS: list[Operation] = []
"""All operations of the modules that are loaded; `routes` loads every resource."""


def operation(
    method: Method, path: str, *, role: Role | None, bound_tokens: BoundTokens, **options: Any
) -> Callable[[AnyHandler], AnyHandler]:
    """Register the decorated function as the handler of a method and path.

    Name, models and texts follow from the function: its name in kebab case, the annotation of its second
    parameter and of its return value, and the first line and the next paragraph of its docstring.
    The options are the fields of Operation.
    """

    def register(handler: AnyHandler) -> AnyHandler:
        parts = [" ".join(part.split()) for part in (handler.__doc__ or "").split("\n\n")]
        hints = dict(handler.__annotations__)
        returned = _model_of(hints.pop("return"))
        OPERATIONS.append(
            Operation(
                method,
                path,
                handler,
                name=handler.__name__.replace("_", "-"),
                summary=parts[0].removesuffix("."),
                description=parts[1] if len(parts) > 1 else "",
                request_model=next((_model_of(hint) for hint in [*hints.values()][1:]), None),
                response_model=returned,
                role=role,
                bound_tokens=bound_tokens,
                **options,
            )
        )
        return handler

    return register


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The model in an annotation `Model`, `Model | None` or None."""
    options = get_args(annotation) or (annotation,)
    return next((one for one in options if isinstance(one, type) and issubclass(one, BaseModel)), None)


def is_well_formed(path: Mapping[str, str]) -> bool:
    """Whether every path parameter matches its pattern."""
    return all(re.fullmatch(PATH_PARAMETERS[name][0], text) for name, text in path.items())
