"""Who reads is written down while it is read, and nothing is told before that is done."""

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


def test_both_are_under_way_at_once():
    begun = Event()

    told = run_with_audit(lambda: Response(str(begun.wait(5))), begun.set)

    assert told.body == "True"


def test_what_could_not_be_written_down_is_not_told():
    def note() -> None:
        raise Transient("away", dependency="audit", operation="append audit entry")

    with pytest.raises(Transient, match="away"):
        run_with_audit(lambda: Response("a secret"), note)


def test_who_looked_in_vain_is_written_down_too():
    noted: list[str] = []

    def read() -> Response:
        raise NotFound

    with pytest.raises(NotFound):
        run_with_audit(read, lambda: noted.append("looked"))

    assert noted == ["looked"]
