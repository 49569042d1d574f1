"""How workers share the machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.cloud import Cloud
from tests.local.packages import function, package
from tests.local.watching import eventually, invoke

_CODE = """
import os
import time

def f(event, context):
    time.sleep(event.get("s", 0))
    return os.getpid()
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, runtime: Path) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("small")
    functions = {"First": function("f", FunctionName="first"), "Second": function("f", FunctionName="second")}
    made = package(folder / "p", functions, _CODE)
    with Cloud(made, folder / "d", runtime=runtime, processes=1, idle_s=1) as running:
        yield running


def test_an_idle_worker_makes_room_for_another_function(small: Cloud):
    first, _ = invoke(small, "first")
    second, _ = invoke(small, "second")

    assert first != second
    assert [worker.pid for worker in small.workers()] == [second]


def test_a_worker_that_has_been_idle_for_long_is_let_go(small: Cloud):
    invoke(small, "first")

    eventually(lambda: not small.workers(), within_s=5)
    assert small.invocations["first"].cold_starts >= 1


def test_who_is_asked_by_a_function_that_holds_the_last_worker_answers_all_the_same(small: Cloud):
    small.client("lambda").invoke(FunctionName="first", Payload=b'{"s": 8}', InvocationType="Event")
    eventually(lambda: [worker.state for worker in small.workers()] == ["busy"], within_s=5)
    began = time.monotonic()

    invoke(small, "second")

    assert time.monotonic() - began < 4


def test_a_payload_that_is_no_json_is_refused(small: Cloud):
    lambda_ = small.client("lambda")

    with pytest.raises(lambda_.exceptions.InvalidRequestContentException):
        lambda_.invoke(FunctionName="first", Payload=b"{")
