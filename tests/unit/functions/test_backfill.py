"""A part of a backfill ends before the request does that waits for its cursor."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from functions import backfill
from functions.runtime.container import Container
from functions.runtime.settings import Settings
from tests.fakes.memory import FakeClock
from tests.unit.reliability.test_reconcile_bucket import OBJECTS, FakeBucket


def test_a_part_ends_with_its_cursor_long_before_the_api_gives_up(monkeypatch: pytest.MonkeyPatch):
    clock, bucket = FakeClock(), FakeBucket()

    class SlowBucket(FakeBucket):
        def list_page(self, cursor: str):
            clock.advance(backfill.MAX_RUN_S)
            return bucket.list_page(cursor)

    slow = replace(SlowBucket().ports(), clock=clock, has_time=lambda: True)
    container = Container(Settings({}), clock=clock)
    vars(container)["bucket_listing"] = slow.objects
    monkeypatch.setattr(container, "reconcile_ports", lambda *_: slow)
    monkeypatch.setattr(backfill, "container", lambda: container)

    first = backfill.on_backfill({}, SimpleNamespace(get_remaining_time_in_millis=lambda: 115_000))

    assert (first["announced"], first["cursor"]) == (2, "2")
    assert len(OBJECTS) > 2
