"""What every handler that calls AWS begins with: the clients are told when this invocation ends."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from functions.wiring import deadline

P = ParamSpec("P")
R = TypeVar("R")


def bounded(handler: Callable[P, R]) -> Callable[P, R]:
    """The handler, with every call to AWS and every retry in it held to the time that it has left."""

    @wraps(handler)
    def within_time(*given: P.args, **named: P.kwargs) -> R:
        begin(_context(given))
        return handler(*given, **named)

    return within_time


def begin(context: Any) -> None:
    """An invocation begins."""
    deadline().begin(context.get_remaining_time_in_millis() / 1000)


def _context(given: tuple[Any, ...]) -> Any:
    """Chalice hands it over beside a direct invocation's event, and inside any other."""
    return given[1] if len(given) > 1 else given[0].context
