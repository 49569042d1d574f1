"""A container whose copy of a model is damaged says which file it is, and ends: Lambda starts another."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger

from vigil.errors import DamagedRelease


def report(fault: DamagedRelease, logger: Logger) -> None:
    """The line that an operator looks for."""
    told = {"model": fault.model, "release": fault.release, "file": fault.file}
    logger.error("release-damaged", extra=told)


def end(fault: DamagedRelease) -> None:
    """Nothing that comes to this container could be answered."""
    sys.exit(f"this container ends: {fault}")


@contextmanager
def replaced_if_damaged() -> Iterator[None]:
    """For whoever answers one caller at a time: the call fails, the next meets another container."""
    try:
        yield
    except DamagedRelease as fault:
        report(fault, Logger())
        end(fault)
