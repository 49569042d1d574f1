"""What handlers share: the deadline of an invocation, and the end of a container with a damaged release."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar

from aws_lambda_powertools import Logger

from functions.runtime.container import container
from vigil.errors import DamagedRelease

P = ParamSpec("P")
R = TypeVar("R")


def lambda_handler(handler: Callable[P, R]) -> Callable[P, R]:
    """Limit every call to AWS and every retry in the handler to the time of its invocation."""

    @wraps(handler)
    def within_time(*args: P.args, **named: P.kwargs) -> R:
        start_deadline(_lambda_context(args))
        return handler(*args, **named)

    return within_time


def start_deadline(context: Any) -> None:
    container().deadline.begin(context.get_remaining_time_in_millis() / 1000)


@contextmanager
def recorded_run(event: Any, task: Literal["triage", "reconcile"]) -> Iterator[Callable[[Any], None]]:
    """Yields a function that saves the report of a run which the API started; an error is saved, too.

    A run that the schedule started saves nothing.
    """
    from cloud.dynamodb.maintenance_state import TaskRun  # noqa: PLC0415 - the lanes do not need it

    c, run_id = container(), event.detail.get("run")

    def save(run: TaskRun) -> None:
        if run_id:
            c.task_runs.save(run, c.clock())

    try:
        yield lambda report: save(TaskRun(run_id, task, "completed", report))
    finally:
        if error := sys.exception():
            save(TaskRun(run_id, task, "failed", error=f"{type(error).__name__}: {error}"))


def _lambda_context(args: tuple[Any, ...]) -> Any:
    """The second argument of a direct invocation; an attribute of every other event."""
    return args[1] if len(args) > 1 else args[0].context


def log_damaged_release(fault: DamagedRelease, logger: Logger) -> None:
    fields = {"model": fault.model, "release": fault.release, "file": fault.file}
    logger.error("release-damaged", extra=fields)


def exit_container(fault: DamagedRelease) -> None:
    """End the process; Lambda replaces the container, and with it the damaged copy."""
    sys.exit(f"this container ends: {fault}")


@contextmanager
def exit_if_release_damaged() -> Iterator[None]:
    """For functions with one caller at a time: the call fails, the next one uses another container."""
    try:
        yield
    except DamagedRelease as fault:
        log_damaged_release(fault, container().logger)
        exit_container(fault)
