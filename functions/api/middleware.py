"""What happens to every request: authorization, rate limit, validation and audit."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from chalice import Response
from chalice.app import Request
from pydantic import BaseModel, ValidationError

from cloud.lambda_api import FunctionThrottled
from functions.api.operation import JSON_TYPE, BoundTokens, Call, FileResponse, Operation, is_well_formed
from functions.api.problems import (
    CapacityExceeded,
    Forbidden,
    Headers,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    Problem,
    ServiceUnavailable,
    TooLarge,
    TooManyRequests,
    UnprocessableContent,
    UnsupportedMediaType,
)
from functions.runtime.container import container
from vigil.access.roles import ALL_ROLES, Caller, Role
from vigil.errors import Rejected, Transient

ANONYMOUS = Caller("", "viewer")
RETRY_S = 2.0
"""Sent as Retry-After when all workers are busy or a dependency fails."""

IDEMPOTENCY_KEY_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,128}")


def serve(operation: Operation, request: Request) -> Response:
    """The operation's response; errors become problems."""
    try:
        return _handle(operation, request)
    except Problem as problem:
        return problem.response()
    except Rejected as rejection:
        return UnprocessableContent(str(rejection), reason=rejection.reason).response()
    except FunctionThrottled:
        return CapacityExceeded(retry_s=RETRY_S).response()
    except Transient:
        return ServiceUnavailable(retry_s=RETRY_S).response()


def _handle(operation: Operation, request: Request) -> Response:
    caller = authorize(operation, request)
    path = dict(request.uri_params or {})
    if not is_well_formed(path):
        raise NotFound
    key = request.headers.get("idempotency-key")
    if key is not None and not IDEMPOTENCY_KEY_PATTERN.fullmatch(key):
        raise InvalidRequest(f"Idempotency-Key must match {IDEMPOTENCY_KEY_PATTERN.pattern}")
    media, body = _read_body(operation, request)
    payload = _parse_payload(operation, request, media, body)
    call = Call(caller, path, body, media, _base_url(request), request.headers.get("accept", ""))
    run = partial(_call_handler, operation, call, payload)
    if operation.audited:
        details = _audit_details(path, payload)
        record_audit = partial(
            container().audit_log.append, caller, operation.name, details, datetime.now(UTC)
        )
        if operation.method == "GET":
            return run_with_audit(run, record_audit)
        record_audit()
    if not key or operation.method == "GET":
        return run()
    from functions.api.idempotency import run_once  # noqa: PLC0415 - its import takes 85 ms, and reads need none

    return run_once(
        run, key=key, operation=operation, call=call, payload=payload, context=request.lambda_context
    )


class Authorizable(Protocol):
    """An operation below /v1, or one of Rekognition."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> Role | None: ...
    @property
    def bound_tokens(self) -> BoundTokens: ...


def authorize(operation: Authorizable, request: Request) -> Caller:
    """The caller. Raises Forbidden, TooManyRequests."""
    if operation.role is None:
        return ANONYMOUS
    authorizer = request.context.get("authorizer") or {}
    if "refusal" in authorizer:
        raise NotAuthenticated(authorizer["refusal"])
    if authorizer.get("role") not in ALL_ROLES:
        raise Forbidden("the token contains no known role")
    sources, galleries = _bounds(authorizer, "sources"), _bounds(authorizer, "galleries")
    caller = Caller(authorizer["principalId"], authorizer["role"], sources, galleries)
    wait_s = container().rate_limiter.acquire(caller.id, datetime.now(UTC))
    if wait_s:
        raise TooManyRequests(retry_s=wait_s)
    refusal = find_refusal(operation, caller)
    if refusal:
        raise Forbidden(refusal)
    return caller


def find_refusal(operation: Authorizable, caller: Caller) -> str | None:
    """Why the caller may not call the operation; None if it is allowed."""
    if operation.role is not None and not caller.can_call(operation.name, operation.role):
        return f"{operation.name} requires the role {operation.role} or a higher one"
    if operation.bound_tokens == "gallery" and caller.is_bound and caller.galleries is None:
        return f"{operation.name} concerns people; a token that is limited to sources needs galleries"
    if operation.bound_tokens == "refused" and caller.is_bound:
        return f"{operation.name} concerns all sources; use a token that is not limited to some"
    return None


def _bounds(authorizer: dict[str, Any], name: str) -> tuple[str, ...] | None:
    """Patterns that the authorizer sends as JSON, or null. Raises Forbidden without them."""
    if name not in authorizer:
        raise Forbidden(f"the authorizer states no {name}")
    patterns = json.loads(authorizer[name])
    return None if patterns is None else tuple(patterns)


def _read_body(operation: Operation, request: Request) -> tuple[str, bytes]:
    """Media type and body; the type keeps its parameters only for a form, which needs its boundary."""
    if operation.in_query or (operation.request_model is None and not operation.body_types):
        return "", b""
    full = request.headers.get("content-type") or JSON_TYPE
    media = full.split(";")[0].strip().lower()
    if media not in (*operation.body_types, *([JSON_TYPE] if operation.request_model else [])):
        raise UnsupportedMediaType(f"{media[:60]} is not supported")
    raw = request.raw_body
    body = raw if isinstance(raw, bytes) else raw.encode()
    if len(body) > operation.max_bytes:
        raise TooLarge(f"the limit is {operation.max_bytes} bytes")
    return (full if media.startswith("multipart/") else media), body


def _parse_payload(operation: Operation, request: Request, media: str, body: bytes) -> BaseModel | None:
    """The validated query or JSON body; None without a model or with a body of another type."""
    if operation.request_model is None or (media and media != JSON_TYPE):
        return None
    if media and (b"\xef\xbf\xbd" in body or not _is_utf_8(body)):
        raise InvalidRequest("the body is not UTF-8")
    try:
        if operation.in_query:
            return operation.request_model.model_validate(_query_parameters(request))
        return operation.request_model.model_validate_json(body)
    except ValidationError as error:
        errors = [
            {"at": "/" + "/".join(map(str, one["loc"])), "message": one["msg"]}
            for one in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        details = "; ".join(f"{one['at'].lstrip('/')}: {one['message']}" for one in errors)
        raise InvalidRequest(details[:300], errors=errors) from error


def _is_utf_8(body: bytes) -> bool:
    """API Gateway replaces bytes of a text that are not UTF-8 by U+FFFD, which the caller looks for."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _query_parameters(request: Request) -> dict[str, Any]:
    """Query parameters by name; a repeated parameter is a list."""
    params = request.query_params
    lists = {name: params.getlist(name) for name in params} if params else {}
    return {name: values[0] if len(values) == 1 else values for name, values in lists.items()}


def _audit_details(path: dict[str, str], payload: BaseModel | None) -> dict[str, str]:
    """Ids in the path, and the fields of the payload that its model lists in AUDITED_FIELDS."""
    names = getattr(payload, "AUDITED_FIELDS", ())
    return path | {name: str(getattr(payload, name)) for name in names if getattr(payload, name) is not None}


def _base_url(request: Request) -> str:
    """The address of the API as the caller used it, with the stage unless a custom domain hides it."""
    context = request.context
    prefix = str(context.get("path", "")).partition("/v1/")[0]
    scheme = request.headers.get("x-forwarded-proto", "https")
    return f"{scheme}://{context.get('domainName', '')}{prefix}"


def run_with_audit(read: Callable[[], Response], record_audit: Callable[[], object]) -> Response:
    """Read and record the read in parallel; nothing is returned unless it was recorded."""
    recorded = container().executor.submit(record_audit)
    try:
        return read()
    finally:
        recorded.result()


def _call_handler(operation: Operation, call: Call, payload: BaseModel | None) -> Response:
    result = operation.handler(call) if payload is None else operation.handler(call, payload)
    if isinstance(result, FileResponse):
        headers: Headers = {"Content-Type": result.media_type, **result.headers}
        return Response(result.content, headers=headers)
    text = "" if result is None else result.model_dump_json(exclude_none=True)
    return Response(text, headers={"Content-Type": JSON_TYPE}, status_code=operation.status)
