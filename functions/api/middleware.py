"""Writes with an Idempotency-Key happen once: a repetition gets the first one's answer, for a day."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    exceptions,
    idempotent_function,
)
from chalice import Response
from chalice.app import Request
from pydantic import BaseModel, ValidationError

from cloud.lambda_api import FunctionThrottled
from functions.api.operation import (
    JSON_TYPE,
    Call,
    FileResponse,
    Operation,
    is_well_formed,
)
from functions.api.problems import (
    CapacityExceeded,
    Conflict,
    Forbidden,
    Headers,
    InvalidRequest,
    NotFound,
    Problem,
    RequestInProgress,
    ServiceUnavailable,
    TooLarge,
    TooManyRequests,
    UnprocessableContent,
    UnsupportedMediaType,
)
from functions.runtime.container import container
from vigil.access.roles import ROLES, Caller
from vigil.errors import Rejected, Transient

IDEMPOTENCY_TTL_S = 86_400


class IdempotentWrites:
    """Runs an operation, or tells what it answered to this caller's same request before.

    What is kept is the answer of a write: ids and states, no name. Of the request only hashes are kept.
    """

    def __init__(self, store: DynamoDBPersistenceLayer) -> None:
        self._store = store

    def __call__(
        self,
        run: Callable[[], Response],
        *,
        key: str,
        operation: Operation,
        call: Call,
        payload: BaseModel | None,
        context: Any,
    ) -> Response:
        """The answer. Raises Conflict where the key was used for another request, StillRunning."""

        @idempotent_function(  # type: ignore[untyped-decorator]  # Powertools leaves it open
            data_keyword_argument="request",
            persistence_store=self._store,
            config=_idempotency_config(context),
        )
        def run_once(*, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - what it is known by
            response = run()
            return {"status": response.status_code, "body": response.body, "headers": response.headers}

        request = {
            "caller": call.caller.id,
            "operation": operation.name,
            "key": key,
            "payload": _request_fingerprint(call, payload),
        }
        try:
            stored = run_once(request=request)
        except exceptions.IdempotencyValidationError as error:
            raise Conflict("this Idempotency-Key was used for another request") from error
        except exceptions.IdempotencyAlreadyInProgressError as error:
            raise RequestInProgress(retry_s=2) from error
        return Response(stored["body"], headers=stored["headers"], status_code=stored["status"])


def _idempotency_config(context: Any) -> IdempotencyConfig:
    config = IdempotencyConfig(
        event_key_jmespath="[caller, operation, key]",
        payload_validation_jmespath="payload",
        expires_after_seconds=IDEMPOTENCY_TTL_S,
        hash_function="sha256",
    )
    config.register_lambda_context(context)
    return config


def _request_fingerprint(call: Call, payload: BaseModel | None) -> dict[str, Any]:
    body = payload.model_dump_json() if payload is not None else call.body.hex()
    return {"path": json.dumps(dict(call.path), sort_keys=True), "body": body}


# MERGED: A request → the operation's answer: role, rate, shape, audit, then the operation itself, once a key.

ANONYMOUS = Caller("", "viewer")
THROTTLED_RETRY_S = 2.0
"""Until another worker may be free."""

IDEMPOTENCY_KEY_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,128}")


def serve(operation: Operation, request: Request) -> Response:
    """The answer, or the problem."""
    try:
        return _handle(operation, request)
    except Problem as problem:
        return problem.response()
    except Rejected as fault:
        return UnprocessableContent(str(fault), reason=fault.reason).response()
    except FunctionThrottled:
        return CapacityExceeded(retry_s=THROTTLED_RETRY_S).response()
    except Transient:
        return ServiceUnavailable(retry_s=2).response()


def _handle(operation: Operation, request: Request) -> Response:
    caller = _authorize(operation, request)
    path = dict(request.uri_params or {})
    if not is_well_formed(path):
        raise NotFound
    key = request.headers.get("idempotency-key")
    if key is not None and not IDEMPOTENCY_KEY_PATTERN.fullmatch(key):
        raise InvalidRequest(f"an Idempotency-Key reads {IDEMPOTENCY_KEY_PATTERN.pattern}")
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
    return IdempotentWrites(container().idempotency_store)(
        run, key=key, operation=operation, call=call, payload=payload, context=request.lambda_context
    )


def run_with_audit(read: Callable[[], Response], record_audit: Callable[[], object]) -> Response:
    """What was read, once it is written down who reads it: both are under way at once."""
    recorded = container().executor.submit(record_audit)
    try:
        return read()
    finally:
        recorded.result()


def _call_handler(operation: Operation, call: Call, payload: BaseModel | None) -> Response:
    answer = operation.handler(call) if payload is None else operation.handler(call, payload)
    if isinstance(answer, FileResponse):
        headers: Headers = {"Content-Type": answer.media_type, **answer.headers}
        return Response(answer.content, headers=headers)
    text = "" if answer is None else answer.model_dump_json(exclude_none=True)
    return Response(text, headers={"Content-Type": JSON_TYPE}, status_code=operation.status)


def _authorize(operation: Operation, request: Request) -> Caller:
    """Who calls, if they may, and not too often."""
    if operation.role is None:
        return ANONYMOUS
    authorizer = request.context.get("authorizer") or {}
    if authorizer.get("role") not in ROLES:
        raise Forbidden("the token names no role that is known here")
    caller = Caller(
        authorizer["principalId"], authorizer["role"], tuple(str(authorizer.get("sources", "")).split())
    )
    wait_s = container().rate_limiter.acquire(caller.id, datetime.now(UTC))
    if wait_s:
        raise TooManyRequests(retry_s=wait_s)
    if not caller.has_role(operation.role):
        raise Forbidden(f"{operation.name} is for the role {operation.role}, and those above it")
    if operation.all_sources and caller.sources:
        raise Forbidden(f"{operation.name} is about all sources, and this token is bound to some")
    return caller


def _read_body(operation: Operation, request: Request) -> tuple[str, bytes]:
    """The media type, without its parameters, and the bytes; of types and sizes that are allowed."""
    if operation.in_query:
        return "", b""
    full = request.headers.get("content-type") or JSON_TYPE
    media = full.split(";")[0].strip().lower()
    if operation.request_model is None and not operation.body_types:
        return "", b""
    if media not in (*operation.body_types, *([JSON_TYPE] if operation.request_model else [])):
        raise UnsupportedMediaType(f"{media[:60]} is not read here")
    raw = request.raw_body
    body = raw if isinstance(raw, bytes) else raw.encode()
    if len(body) > operation.max_bytes:
        raise TooLarge(f"at most {operation.max_bytes} bytes")
    return (full if media.startswith("multipart/") else media), body


def _parse_payload(operation: Operation, request: Request, media: str, body: bytes) -> BaseModel | None:
    """What the operation takes, validated."""
    if operation.request_model is None or (media and media != JSON_TYPE):
        return None
    try:
        if operation.in_query:
            return operation.request_model.model_validate(_query_parameters(request))
        return operation.request_model.model_validate_json(body)
    except ValidationError as error:
        validation_errors = error.errors(include_url=False, include_input=False, include_context=False)
        places = [
            {"at": "/" + "/".join(map(str, one["loc"])), "message": one["msg"]} for one in validation_errors
        ]
        raise InvalidRequest("; ".join(one["message"] for one in places)[:300], errors=places) from error


def _query_parameters(request: Request) -> dict[str, Any]:
    """Parameters by name; one that may be repeated is a list in its model."""
    params = request.query_params
    listed = {name: params.getlist(name) for name in params} if params else {}
    return {name: values[0] if len(values) == 1 else values for name, values in listed.items()}


def _audit_details(path: dict[str, str], payload: BaseModel | None) -> dict[str, str]:
    """Ids of what the call is about; of what it takes, only what its model calls fit for the record."""
    names = getattr(payload, "AUDITED_FIELDS", ())
    return path | {name: str(getattr(payload, name)) for name in names if getattr(payload, name) is not None}


def _base_url(request: Request) -> str:
    """The API's own address, as the caller reached it: at its stage, or at a domain of its own."""
    context = request.context
    prefix = str(context.get("path", "")).partition("/v1/")[0]
    scheme = request.headers.get("x-forwarded-proto", "https")
    return f"{scheme}://{context.get('domainName', '')}{prefix}"
