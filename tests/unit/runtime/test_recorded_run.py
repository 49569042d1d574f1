"""A run that the API started saves its report or its error."""

from types import SimpleNamespace
from typing import Any

import pytest

from cloud.dynamodb.maintenance_state import TaskRun
from functions.runtime import handler
from functions.runtime.handler import recorded_run


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[TaskRun]:
    runs: list[TaskRun] = []
    task_runs = SimpleNamespace(save=lambda run, _now: runs.append(run))
    container = SimpleNamespace(task_runs=task_runs, clock=lambda: None)
    monkeypatch.setattr(handler, "container", lambda: container)
    return runs


def event(**detail: Any) -> Any:
    return SimpleNamespace(detail=detail)


def test_a_run_that_ends_saves_its_report(saved: list[TaskRun]):
    with recorded_run(event(run="a"), "triage") as save_report:
        save_report({"messages": 1})

    assert saved == [TaskRun("a", "triage", "completed", {"messages": 1})]


def test_a_run_that_fails_saves_the_error_and_raises_it(saved: list[TaskRun]):
    with pytest.raises(ValueError, match="no table"), recorded_run(event(run="a"), "reconcile"):
        raise ValueError("no table")

    assert saved == [TaskRun("a", "reconcile", "failed", error="ValueError: no table")]


def test_a_run_of_the_schedule_saves_nothing(saved: list[TaskRun]):
    with recorded_run(event(), "triage") as save_report:
        save_report({"messages": 1})
    with pytest.raises(ValueError, match="no table"), recorded_run(event(), "triage"):
        raise ValueError("no table")

    assert saved == []
