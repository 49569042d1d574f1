"""Writes with an Idempotency-Key happen once: a repetition gets the first one's answer, for a day."""

import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    exceptions,
    idempotent_function,
)
from chalice import Response
from pydantic import BaseModel

from functions.api.operation import Call, Operation
from functions.api.problems import Conflict, StillRunning

DAY_S = 86_400


class Once:
    """Runs an operation, or tells what it answered to this caller's same request before.

    What is kept is the answer of a write: ids and states, no name. Of the request only hashes are kept.
    """

    def __init__(self, table: str, client: Any) -> None:
        self._store = DynamoDBPersistenceLayer(table, expiry_attr="expiration", boto3_client=client)

    def __call__(
        self,
        do: Callable[[], Response],
        *,
        key: str,
        operation: Operation,
        call: Call,
        taken: BaseModel | None,
        context: Any,
    ) -> Response:
        """The answer. Raises Conflict where the key was used for another request, StillRunning."""

        @idempotent_function(  # type: ignore[untyped-decorator]  # Powertools leaves it open
            data_keyword_argument="asked", persistence_store=self._store, config=_config(context)
        )
        def kept(*, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - what it is known by
            response = do()
            return {"status": response.status_code, "body": response.body, "headers": response.headers}

        asked = {"who": call.caller.id, "what": operation.name, "key": key, "with": _asked(call, taken)}
        try:
            told = kept(asked=asked)
        except exceptions.IdempotencyValidationError as error:
            raise Conflict("this Idempotency-Key was used for another request") from error
        except exceptions.IdempotencyAlreadyInProgressError as error:
            raise StillRunning(retry_s=2) from error
        return Response(told["body"], headers=told["headers"], status_code=told["status"])


def _config(context: Any) -> IdempotencyConfig:
    config = IdempotencyConfig(
        event_key_jmespath="[who, what, key]",
        payload_validation_jmespath="with",
        expires_after_seconds=DAY_S,
        hash_function="sha256",
    )
    config.register_lambda_context(context)
    return config


def _asked(call: Call, taken: BaseModel | None) -> dict[str, Any]:
    body = taken.model_dump_json() if taken is not None else call.body.hex()
    return {"path": json.dumps(dict(call.path), sort_keys=True), "body": body}
