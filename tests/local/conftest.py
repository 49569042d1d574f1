"""One cloud for the whole folder, with every kind of trigger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.cloud import Cloud
from infra.local.runtime_dir import runtime_dir
from tests.local.everything import everything

_PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def runtime() -> Path:
    return runtime_dir(_PROJECT / "build", _PROJECT / "constraints.txt")


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory, runtime: Path) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("cloud")
    package = everything(folder / "package")
    with Cloud(
        package,
        folder / "data",
        runtime=runtime,
        minute_s=1,
        retry_s=(0.1, 0.1),
        gateway_limit_s=2,
        parameters={"Stage": "local"},
    ) as running:
        yield running
