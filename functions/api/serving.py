"""A request → the operation's answer: role, rate, shape, audit, then the operation itself, once a key."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from chalice import Response
from chalice.app import Request
from pydantic import BaseModel, ValidationError

from cloud.functions import Shed
from functions.api import wiring
from functions.api.operation import JSON, Call, File, Operation, well_formed
from functions.api.problems import (
    Busy,
    Forbidden,
    Headers,
    Invalid,
    NotFound,
    Problem,
    Refused,
    TooLarge,
    TooMany,
    Unavailable,
    WrongMedia,
)
from vigil.access.roles import ROLES, Caller
from vigil.errors import Rejected, Transient

NOBODY = Caller("", "viewer")
SHED_S = 2.0
"""Until another worker may be free."""

KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")


def served(operation: Operation, request: Request) -> Response:
    """The answer, or the problem."""
    try:
        return _served(operation, request)
    except Problem as problem:
        return problem.response()
    except Rejected as fault:
        return Refused(str(fault), reason=fault.reason).response()
    except Shed:
        return Busy(retry_s=SHED_S).response()
    except Transient:
        return Unavailable(retry_s=2).response()


def _served(operation: Operation, request: Request) -> Response:
    caller = _admitted(operation, request)
    path = dict(request.uri_params or {})
    if not well_formed(path):
        raise NotFound
    key = request.headers.get("idempotency-key")
    if key is not None and not KEY.fullmatch(key):
        raise Invalid(f"an Idempotency-Key reads {KEY.pattern}")
    media, body = _body(operation, request)
    taken = _taken(operation, request, media, body)
    call = Call(caller, path, body, media, _base(request), request.headers.get("accept", ""))
    do = partial(_done, operation, call, taken)
    if operation.audited:
        about = _about(path, taken)
        note = partial(wiring.audit().append, caller, operation.name, about, datetime.now(UTC))
        if operation.method == "GET":
            return beside(do, note)
        note()
    if not key or operation.method == "GET":
        return do()
    return wiring.once()(
        do, key=key, operation=operation, call=call, taken=taken, context=request.lambda_context
    )


def beside(read: Callable[[], Response], note: Callable[[], object]) -> Response:
    """What was read, once it is written down who reads it: both are under way at once."""
    written = wiring.aside().submit(note)
    try:
        return read()
    finally:
        written.result()


def _done(operation: Operation, call: Call, taken: BaseModel | None) -> Response:
    answer = operation.serve(call) if taken is None else operation.serve(call, taken)
    if isinstance(answer, File):
        headers: Headers = {"Content-Type": answer.media, **answer.headers}
        return Response(answer.content, headers=headers)
    text = "" if answer is None else answer.model_dump_json(exclude_none=True)
    return Response(text, headers={"Content-Type": JSON}, status_code=operation.status)


def _admitted(operation: Operation, request: Request) -> Caller:
    """Who calls, if they may, and not too often."""
    if operation.role is None:
        return NOBODY
    told = request.context.get("authorizer") or {}
    if told.get("role") not in ROLES:
        raise Forbidden("the token names no role that is known here")
    caller = Caller(told["principalId"], told["role"], tuple(str(told.get("sources", "")).split()))
    wait_s = wiring.permits().take(caller.id, datetime.now(UTC))
    if wait_s:
        raise TooMany(retry_s=wait_s)
    if not caller.may(operation.role):
        raise Forbidden(f"{operation.name} is for the role {operation.role}, and those above it")
    if operation.everywhere and caller.sources:
        raise Forbidden(f"{operation.name} is about all sources, and this token is bound to some")
    return caller


def _body(operation: Operation, request: Request) -> tuple[str, bytes]:
    """The media type, without its parameters, and the bytes; of types and sizes that are allowed."""
    if operation.in_query:
        return "", b""
    full = request.headers.get("content-type") or JSON
    media = full.split(";")[0].strip().lower()
    if operation.takes is None and not operation.media:
        return "", b""
    if media not in (*operation.media, *([JSON] if operation.takes else [])):
        raise WrongMedia(f"{media[:60]} is not read here")
    raw = request.raw_body
    body = raw if isinstance(raw, bytes) else raw.encode()
    if len(body) > operation.most_bytes:
        raise TooLarge(f"at most {operation.most_bytes} bytes")
    return (full if media.startswith("multipart/") else media), body


def _taken(operation: Operation, request: Request, media: str, body: bytes) -> BaseModel | None:
    """What the operation takes, validated."""
    if operation.takes is None or (media and media != JSON):
        return None
    try:
        if operation.in_query:
            return operation.takes.model_validate(_query(request))
        return operation.takes.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        places = [{"at": "/" + "/".join(map(str, one["loc"])), "message": one["msg"]} for one in found]
        raise Invalid("; ".join(one["message"] for one in places)[:300], errors=places) from error


def _query(request: Request) -> dict[str, Any]:
    """Parameters by name; one that may be repeated is a list in its model."""
    params = request.query_params
    listed = {name: params.getlist(name) for name in params} if params else {}
    return {name: values[0] if len(values) == 1 else values for name, values in listed.items()}


def _about(path: dict[str, str], taken: BaseModel | None) -> dict[str, str]:
    """Ids of what the call is about; of what it takes, only what its model calls fit for the record."""
    noted = getattr(taken, "NOTED", ())
    return path | {name: str(getattr(taken, name)) for name in noted if getattr(taken, name) is not None}


def _base(request: Request) -> str:
    """The API's own address, as the caller reached it: at its stage, or at a domain of its own."""
    context = request.context
    prefix = str(context.get("path", "")).partition("/v1/")[0]
    scheme = request.headers.get("x-forwarded-proto", "https")
    return f"{scheme}://{context.get('domainName', '')}{prefix}"
