"""What is refused before anything starts, and what is left after everything stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.local import cloud_file
from infra.local.cloud import Cloud
from infra.local.errors import BadTemplate, CannotImitate, CannotStart, LocalCloudError
from infra.local.imitates import imitations
from tests.local.packages import Template, arn, function, package, queue
from tests.local.watching import eventually, invoke

_PROJECT = Path(__file__).parents[2]
_CODE = "def f(event, context):\n    return event\n"


def _refused(folder: Path, runtime: Path, resources: Template, **sections: Any) -> LocalCloudError:
    with (
        pytest.raises(LocalCloudError) as refused,
        Cloud(package(folder / "package", resources, _CODE, **sections), folder / "data", runtime=runtime),
    ):
        pass
    assert not (folder / "data" / "cloud.json").exists()
    return refused.value


def test_an_unknown_property_is_refused_with_its_resource_and_name(tmp_path: Path, runtime: Path):
    error = _refused(tmp_path, runtime, {"Work": queue("work", Colour="red")})

    assert isinstance(error, CannotImitate)
    assert str(error) == "Work: the local cloud cannot imitate the property Colour of AWS::SQS::Queue"


def test_a_property_inside_a_property_is_refused_by_its_path(tmp_path: Path, runtime: Path):
    bucket = {
        "Type": "AWS::S3::Bucket",
        "Properties": {"NotificationConfiguration": {"LambdaConfigurations": []}},
    }

    error = _refused(tmp_path, runtime, {"Pictures": bucket})

    assert "NotificationConfiguration.LambdaConfigurations" in str(error)


def test_everything_that_is_refused_is_said_at_once(tmp_path: Path, runtime: Path):
    error = _refused(
        tmp_path, runtime, {"Work": queue("work", Colour="red"), "Box": {"Type": "AWS::EC2::Instance"}}
    )

    assert "property Colour" in str(error)
    assert "AWS::EC2::Instance" in str(error)


def test_another_runtime_is_refused(tmp_path: Path, runtime: Path):
    error = _refused(tmp_path, runtime, {"F": function("f", Runtime="python3.9")})

    assert "python3.9" in str(error)


def test_a_parameter_without_value_and_one_too_many_are_refused(tmp_path: Path, runtime: Path):
    error = _refused(tmp_path / "a", runtime, {"Q": queue("q")}, Parameters={"Stage": {"Type": "String"}})
    with (
        pytest.raises(BadTemplate, match="Color"),
        Cloud(
            package(tmp_path / "b", {"Q": queue("q")}, _CODE),
            tmp_path / "data",
            runtime=runtime,
            parameters={"Color": "red"},
        ),
    ):
        pass

    assert "Stage" in str(error)


def test_a_folder_that_was_not_packaged_is_refused(tmp_path: Path, runtime: Path):
    with (
        pytest.raises(CannotStart, match="package first"),
        Cloud(tmp_path, tmp_path / "data", runtime=runtime),
    ):
        pass


def test_every_reason_in_the_table_is_used_and_every_list_has_one():
    assert all(one.whole or one.honoured for one in imitations().values())
    assert not [name for name, one in imitations().items() if one.honoured & one.ignored]


def test_another_process_finds_the_cloud_and_a_second_one_is_refused(
    cloud: Cloud, runtime: Path, tmp_path: Path
):
    with Cloud(
        package(tmp_path / "p", {"F": function("f")}, _CODE), tmp_path / "d", runtime=runtime
    ) as first:
        found = cloud_file.find(tmp_path / "d")

        assert found is not None
        assert found.environment == first.environment
        assert found.functions == {"F": "f"}
        with (
            pytest.raises(CannotStart, match="already runs"),
            Cloud(tmp_path / "p", tmp_path / "d", runtime=runtime),
        ):
            pass
    assert cloud_file.find(tmp_path / "d") is None


def test_nothing_is_left_when_the_block_ends(tmp_path: Path, runtime: Path):
    work = {"F": function("f", events={"Work": {"Type": "SQS", "Properties": {"Queue": arn("Work")}}})}
    folder = package(tmp_path / "p", {**work, "Work": queue("work")}, _CODE)
    with Cloud(folder, tmp_path / "d", runtime=runtime) as cloud:
        invoke(cloud, "f")
        pids = _children(os.getpid(), tmp_path)

    assert len(pids) == 2
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not cloud_file.find(tmp_path / "d")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_the_process_is_ended(tmp_path: Path, runtime: Path, number: signal.Signals):
    package(tmp_path / "p", {"F": function("f")}, _CODE)
    cloud = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(tmp_path), str(runtime)],
        cwd=_PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with cloud:
        assert cloud.stdout is not None
        pids = json.loads(cloud.stdout.readline())
        cloud.send_signal(number)

    assert len(pids) == 2
    eventually(lambda: not [pid for pid in pids if Path(f"/proc/{pid}").exists()], within_s=5)
    assert cloud_file.find(tmp_path / "d") is None


_RUN = """
import json, sys, time
from pathlib import Path
from infra.local.cloud import Cloud

folder, runtime = map(Path, sys.argv[1:])
with Cloud(folder / "p", folder / "d", runtime=runtime) as cloud:
    cloud.client("lambda").invoke(FunctionName="f")
    pids = [worker.pid for worker in cloud.workers()] + [cloud.moto_pid]
    sys.stdout.write(json.dumps(pids) + "\\n")
    sys.stdout.flush()
    time.sleep(60)
"""


def _children(parent: int, folder: Path) -> list[int]:
    """The children of this process that belong to a cloud on this folder: its moto and its workers."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _parent(entry) == parent and str(folder) in _opened(entry):
            found.append(int(entry.name))
    return found


def _parent(entry: Path) -> int:
    try:
        return int(entry.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def _opened(entry: Path) -> str:
    """Where the process runs and writes: both name the data folder."""
    return f"{os.readlink(entry / 'cwd')} {os.readlink(entry / 'fd' / '1')}"
