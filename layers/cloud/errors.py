"""Translates errors of botocore, at each call of AWS, into Transient or RefusedRequest; repeats conflicts."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from vigil.errors import Dependency, NoDependencyFailed, RefusedRequest, Transient

R = TypeVar("R")

_INVALID_REQUEST_CODES = {
    "ValidationException",
    "ValidationError",
    "SerializationException",
    "KeyTooLong",
    "KeyTooLongError",
    "InvalidArgument",
    "InvalidURI",
    "InvalidParameter",
    "InvalidParameterException",
    "InvalidParameterValue",
    "InvalidParameterValueException",
    "InvalidMessageContents",
    "InvalidRequestContentException",
    "RequestTooLargeException",
    "AWS.SimpleQueueService.BatchRequestTooLong",
    "AWS.SimpleQueueService.InvalidBatchEntryId",
}
"""Codes of errors that repeat at every attempt, because the request itself is wrong."""

_THROTTLING_REASONS = {"ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"}
_CONFLICT_CODES = {"TransactionConflictException", "TransactionInProgressException"}
_CONFLICT_REASON = "TransactionConflict"
CONDITION_FAILED = "ConditionalCheckFailed"

MAX_CONFLICT_ATTEMPTS = 8
"""Attempts of a write while transactions of other writers hold one of its rows."""

FIRST_PAUSE_S, MAX_PAUSE_S = 0.025, 0.4
_JITTER_RNG = random.SystemRandom()  # containers from one SnapStart snapshot share the state of any other


@contextmanager
def translate_errors(dependency: Dependency, operation: str) -> Iterator[None]:
    """Raise any failure of an AWS call in this block as Transient of this dependency and operation.

    A request that AWS refuses as wrong raises RefusedRequest. An error that the caller expects (a failed
    condition, a missing key) is caught inside the block.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        if is_invalid_request(error):
            raise RefusedRequest(f"{operation}: {error}") from error
        raise Transient(str(error), dependency=dependency, operation=operation) from error


def is_invalid_request(error: BotoCoreError | ClientError) -> bool:
    """Whether every repetition of the request would fail in the same way."""
    if isinstance(error, ClientError):
        return (
            error_code(error) in _INVALID_REQUEST_CODES
            or "ValidationError" in cancellation_reasons(error)
            or "ItemCollectionSizeLimitExceeded" in cancellation_reasons(error)
        )
    return isinstance(error, ParamValidationError)


def error_code(error: ClientError) -> str:
    """The error code of AWS."""
    return str(error.response.get("Error", {}).get("Code", ""))


def cancellation_reasons(error: ClientError) -> list[str]:
    """The reason code of each write of a cancelled transaction."""
    return [str(reason.get("Code")) for reason in error.response.get("CancellationReasons", ())]


def repeat_conflicts(call: Callable[[], R], operation: str) -> R:
    """The answer of a write to DynamoDB, repeated while transactions of other writers hold one of its rows.

    botocore does not repeat it. Raises NoDependencyFailed after the last attempt, and every other error.
    """
    for attempt in range(1, MAX_CONFLICT_ATTEMPTS + 1):
        try:
            return call()
        except ClientError as error:
            if not _is_conflict(error):
                raise
            if attempt == MAX_CONFLICT_ATTEMPTS:
                detail = f"{operation}: other transactions held its rows in {attempt} attempts"
                raise NoDependencyFailed(detail) from error
        pause(attempt)
    raise AssertionError("the last attempt returns or raises")


def _is_conflict(error: ClientError) -> bool:
    """Whether nothing but a concurrent transaction is in the way.

    A failed condition outlasts the conflict, and a throttled transaction must not be repeated at once. The
    reasons of a cancelled transaction are those of
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """
    reasons = cancellation_reasons(error)
    return error_code(error) in _CONFLICT_CODES or (
        _CONFLICT_REASON in reasons
        and CONDITION_FAILED not in reasons
        and not _THROTTLING_REASONS.intersection(reasons)
    )


def max_pause_s(attempt: int) -> float:
    """The longest pause after an attempt, which counts from 1."""
    return float(min(FIRST_PAUSE_S * 2 ** (attempt - 1), MAX_PAUSE_S))


def pause(attempt: int, *, rng: random.Random = _JITTER_RNG) -> None:
    """Wait before the next attempt, with full jitter, so that writers that met once do not meet again."""
    time.sleep(rng.uniform(0, max_pause_s(attempt)))
