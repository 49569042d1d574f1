"""One cloud with every kind of trigger, shared by all tests of the folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.cloud import Cloud
from infra.local.lambda_.sandbox import lambda_runtime_folder
from infra.lock_file import LOCK_PATH
from tests.local.packages import sample_package

_PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def runtime() -> Path:
    return lambda_runtime_folder(_PROJECT / "build", _PROJECT / LOCK_PATH)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory, runtime: Path) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("cloud")
    package = sample_package(folder / "package")
    with Cloud(
        package,
        folder / "data",
        runtime=runtime,
        minute_s=1,
        retry_s=(0.1, 0.1),
        parameters={"Stage": "local"},
    ) as running:
        yield running
