"""Reads are recorded in the audit log while they run, and nothing is returned without a record."""

from collections.abc import Iterator
from threading import Event

import pytest
from chalice import Response

from functions.api.middleware import run_with_audit
from functions.api.problems import NotFound
from functions.runtime.container import container
from vigil.errors import Transient


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    yield
    container().executor.shutdown()
    container.cache_clear()


def test_the_read_and_its_audit_entry_run_in_parallel():
    started = Event()

    response = run_with_audit(lambda: Response(str(started.wait(5))), started.set)

    assert response.body == "True"


def test_a_read_that_cannot_be_audited_returns_nothing():
    def record_audit() -> None:
        raise Transient("away", dependency="audit", operation="append audit entry")

    with pytest.raises(Transient, match="away"):
        run_with_audit(lambda: Response("a secret"), record_audit)


def test_a_read_that_finds_nothing_is_audited():
    recorded: list[str] = []

    def read() -> Response:
        raise NotFound

    with pytest.raises(NotFound):
        run_with_audit(read, lambda: recorded.append("read"))

    assert recorded == ["read"]
