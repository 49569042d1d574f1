"""Which tests are slow, in which order files are started, and no limits on the time of an example."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cloud.dynamodb import queries
from tests.fakes.memory import NOON

ROOT = Path(__file__).parent

SLOW = (
    "e2e/",
    "infra/",
    "local/",
    "models/",
    "properties/",
    "architecture/test_cold_start_imports.py",
    "architecture/test_imports.py",
    "unit/faces/test_embedding_spaces.py",
    "unit/faces/test_recognizer.py",
    "unit/harness/",
)
"""Folders and files that start the local cloud, build packages, train, run models, or try many cases."""

LONGEST_FIRST = (
    "e2e/test_chaos.py",
    "e2e/test_crash_recovery.py",
    "e2e/test_releases.py",
    "e2e/test_training.py",
    "e2e/api",
    "e2e",
    "local",
    "infra",
    "models",
    "properties",
)
"""Files and folders that are started first, so that no process is left with a long file at the end."""


settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


@pytest.fixture(scope="session", autouse=True)
def _no_row_of_the_tests_has_expired() -> Iterator[None]:
    """Rows of tests were written at NOON; a test about expired rows moves this clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queries, "now_s", NOON.timestamp)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _path(item).startswith(SLOW):
            item.add_marker(pytest.mark.slow)
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    path = _path(item)
    matches = [rank for rank, start in enumerate(LONGEST_FIRST) if path.startswith(start)]
    return matches[0] if matches else len(LONGEST_FIRST)


def _path(item: pytest.Item) -> str:
    return item.path.relative_to(ROOT).as_posix()
