"""The commands' API is a fake."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.fakes.vigil_api import FakeApi
from vigil_cli.session import Session


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    fake, original = FakeApi(), Session.api

    @contextmanager
    def connect(session: Session, role: Any, *_: object) -> Iterator[Any]:
        with original(session, role):
            yield fake

    monkeypatch.setattr(Session, "_local_access", lambda *_: ("http://127.0.0.1:9", "token"))
    monkeypatch.setattr(Session, "api", connect)
    return fake
