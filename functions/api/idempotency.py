"""Writes with an Idempotency-Key are executed once; for a day, a repetition gets the stored response."""

import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, exceptions, idempotent_function
from chalice import Response
from pydantic import BaseModel

from functions.api.operation import Call, Operation
from functions.api.problems import Conflict, RequestInProgress
from functions.runtime.container import container

TTL_S = 86_400
RETRY_S = 2.0


def run_once(
    run: Callable[[], Response],
    *,
    key: str,
    operation: Operation,
    call: Call,
    payload: BaseModel | None,
    context: Any,
) -> Response:
    """The response of the write, or the stored response of an earlier request with the key.

    Raises Conflict if another request used the key, RequestInProgress.
    """
    request = {
        "caller": call.caller.id,
        "operation": operation.name,
        "key": key,
        "payload": _request_fingerprint(call, payload),
    }
    return run_request_once(run, request, context)


def run_request_once(run: Callable[[], Response], request: dict[str, Any], context: Any) -> Response:
    """The same for a request with `caller`, `operation`, `key` and `payload`.

    Stored responses contain ids and states, but no names; of the request only hashes are stored.
    """

    @idempotent_function(  # type: ignore[untyped-decorator]  # Powertools does not annotate it
        data_keyword_argument="request",
        persistence_store=container().idempotency_store,
        config=_idempotency_config(context),
    )
    def run_and_store(*, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - identifies the write
        response = run()
        return {"status": response.status_code, "body": response.body, "headers": response.headers}

    try:
        stored = run_and_store(request=request)
    except exceptions.IdempotencyValidationError as error:
        raise Conflict("another request used this Idempotency-Key") from error
    except exceptions.IdempotencyAlreadyInProgressError as error:
        raise RequestInProgress(retry_s=RETRY_S) from error
    return Response(stored["body"], headers=stored["headers"], status_code=stored["status"])


def _idempotency_config(context: Any) -> IdempotencyConfig:
    config = IdempotencyConfig(
        event_key_jmespath="[caller, operation, key]",
        payload_validation_jmespath="payload",
        expires_after_seconds=TTL_S,
        hash_function="sha256",
    )
    config.register_lambda_context(context)
    return config


def _request_fingerprint(call: Call, payload: BaseModel | None) -> dict[str, Any]:
    body = payload.model_dump_json() if payload is not None else call.body.hex()
    return {"path": json.dumps(dict(call.path), sort_keys=True), "body": body}
