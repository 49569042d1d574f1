"""Translates errors of botocore into Transient, at each call of AWS."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from vigil.errors import Dependency, Transient


@contextmanager
def translate_errors(dependency: Dependency, operation: str) -> Iterator[None]:
    """Raise any failure of an AWS call in this block as Transient of this dependency and operation.

    An error that the caller expects (a failed condition, a missing key) is caught inside the block.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Transient(str(error), dependency=dependency, operation=operation) from error


def error_code(error: ClientError) -> str:
    """The error code of AWS."""
    return str(error.response.get("Error", {}).get("Code", ""))


CONDITION_FAILED = "ConditionalCheckFailed"


def cancellation_reasons(error: ClientError) -> list[str]:
    """The reason code of each write of a cancelled transaction."""
    return [str(reason.get("Code")) for reason in error.response.get("CancellationReasons", ())]
