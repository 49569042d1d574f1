"""What every handler that calls AWS begins with: the clients are told when this invocation ends."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from aws_lambda_powertools import Logger

from functions.runtime.container import container
from vigil.errors import DamagedRelease

P = ParamSpec("P")
R = TypeVar("R")


def lambda_handler(handler: Callable[P, R]) -> Callable[P, R]:
    """The handler, with every call to AWS and every retry in it held to the time that it has left."""

    @wraps(handler)
    def within_time(*args: P.args, **named: P.kwargs) -> R:
        start_deadline(_lambda_context(args))
        return handler(*args, **named)

    return within_time


def start_deadline(context: Any) -> None:
    """An invocation begins."""
    container().deadline.begin(context.get_remaining_time_in_millis() / 1000)


def _lambda_context(args: tuple[Any, ...]) -> Any:
    """Chalice hands it over beside a direct invocation's event, and inside any other."""
    return args[1] if len(args) > 1 else args[0].context


# MERGED: A container whose copy of a model is damaged says which file it is, and ends: Lambda starts another.


def log_damaged_release(fault: DamagedRelease, logger: Logger) -> None:
    """The line that an operator looks for."""
    fields = {"model": fault.model, "release": fault.release, "file": fault.file}
    logger.error("release-damaged", extra=fields)


def exit_container(fault: DamagedRelease) -> None:
    """Nothing that comes to this container could be answered."""
    sys.exit(f"this container ends: {fault}")


@contextmanager
def exit_if_release_damaged() -> Iterator[None]:
    """For whoever answers one caller at a time: the call fails, the next meets another container."""
    try:
        yield
    except DamagedRelease as fault:
        log_damaged_release(fault, container().logger)
        exit_container(fault)
