"""The one seam at which AWS's errors become ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from vigil.errors import Transient


@contextmanager
def translate_errors(operation: str) -> Iterator[None]:
    """Re-raise any failure of an AWS call as Transient, naming the act that failed.

    What a caller expects (a condition that did not hold, a missing key) it catches itself, inside.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Transient(f"{operation}: {error}") from error


def error_code(error: ClientError) -> str:
    """AWS's name for the error."""
    return str(error.response.get("Error", {}).get("Code", ""))


CONDITION_FAILED = "ConditionalCheckFailed"


def cancellation_reasons(error: ClientError) -> list[str]:
    """Why a transaction was cancelled, a word for each of its writes; nothing for any other error."""
    return [str(reason.get("Code")) for reason in error.response.get("CancellationReasons", ())]
