"""The one seam at which AWS's errors become ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from vigil.errors import Transient


@contextmanager
def faults(doing: str) -> Iterator[None]:
    """Re-raise any failure of an AWS call as Transient, naming the act that failed.

    What a caller expects (a condition that did not hold, a missing key) it catches itself, inside.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Transient(f"{doing}: {error}") from error


def code(error: ClientError) -> str:
    """AWS's name for the error."""
    return str(error.response.get("Error", {}).get("Code", ""))


FAILED = "ConditionalCheckFailed"


def cancelled(error: ClientError) -> list[str]:
    """Why a transaction was cancelled, a word for each of its writes; nothing for any other error."""
    return [str(reason.get("Code")) for reason in error.response.get("CancellationReasons", ())]
