"""Templates that are refused at the start, and the processes and files that remain after the end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.local.cloud import Cloud
from infra.local.cloudformation.template import supported_types
from infra.local.discovery import Ports, choose_ports, find_running_cloud, save_ports
from infra.local.errors import InvalidTemplate, LocalCloudError, StartupFailed, UnsupportedFeature
from infra.local.issuer import load_issuer
from tests.local.packages import Template, arn, function, package, queue
from tests.local.waiting import invoke_function, wait_until

_PROJECT = Path(__file__).parents[2]
_CODE = "def f(event, context):\n    return event\n"


def _startup_error(folder: Path, runtime: Path, resources: Template, **sections: Any) -> LocalCloudError:
    with (
        pytest.raises(LocalCloudError) as refused,
        Cloud(package(folder / "package", resources, _CODE, **sections), folder / "data", runtime=runtime),
    ):
        pass
    assert not (folder / "data" / "cloud.json").exists()
    return refused.value


def test_an_unknown_property_is_refused_with_its_resource_and_name(tmp_path: Path, runtime: Path):
    error = _startup_error(tmp_path, runtime, {"Work": queue("work", Colour="red")})

    assert isinstance(error, UnsupportedFeature)
    assert str(error) == "Work: the local cloud does not support the property Colour of AWS::SQS::Queue"


def test_a_property_inside_a_property_is_refused_by_its_path(tmp_path: Path, runtime: Path):
    bucket = {
        "Type": "AWS::S3::Bucket",
        "Properties": {"NotificationConfiguration": {"LambdaConfigurations": []}},
    }

    error = _startup_error(tmp_path, runtime, {"Pictures": bucket})

    assert "NotificationConfiguration.LambdaConfigurations" in str(error)


@pytest.mark.parametrize(
    ("resource", "feature"),
    [
        (function("f", DeadLetterQueue={"Type": "SQS", "TargetArn": "arn"}), "DeadLetterConfig"),
        (function("f", EventInvokeConfig={"MaximumRetryAttempts": 1}), "AWS::Lambda::EventInvokeConfig"),
        (function("f", events={"News": {"Type": "SNS", "Properties": {"Topic": "arn"}}}), "Protocol lambda"),
        (queue("work.fifo", FifoQueue=True), "FifoQueue"),
        (
            {
                "Type": "AWS::Events::Rule",
                "Properties": {"EventBusName": "own", "EventPattern": {"source": ["a"]}, "Targets": []},
            },
            "EventBusName",
        ),
        ({"Type": "AWS::Events::EventBus", "Properties": {"Name": "own"}}, "AWS::Events::EventBus"),
        ({"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String"}}, "AWS::SSM::Parameter"),
    ],
)
def test_a_feature_that_the_product_does_not_use_is_refused_by_name(
    tmp_path: Path, runtime: Path, resource: Template, feature: str
):
    error = _startup_error(tmp_path, runtime, {"Thing": resource})

    assert str(error).startswith("Thing")
    assert feature in str(error)


def test_all_unsupported_features_are_reported_at_once(tmp_path: Path, runtime: Path):
    error = _startup_error(
        tmp_path, runtime, {"Work": queue("work", Colour="red"), "Box": {"Type": "AWS::EC2::Instance"}}
    )

    assert "property Colour" in str(error)
    assert "AWS::EC2::Instance" in str(error)


def test_another_runtime_is_refused(tmp_path: Path, runtime: Path):
    error = _startup_error(tmp_path, runtime, {"F": function("f", Runtime="python3.9")})

    assert "python3.9" in str(error)


def test_a_parameter_without_a_value_and_an_unknown_parameter_are_refused(tmp_path: Path, runtime: Path):
    error = _startup_error(
        tmp_path / "a", runtime, {"Q": queue("q")}, Parameters={"Stage": {"Type": "String"}}
    )
    with (
        pytest.raises(InvalidTemplate, match="Color"),
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
        pytest.raises(StartupFailed, match="make package"),
        Cloud(tmp_path, tmp_path / "data", runtime=runtime),
    ):
        pass


def test_every_supported_type_lists_properties_or_a_reason_and_no_property_twice():
    assert all(one.ignored_reason or one.supported for one in supported_types().values())
    assert not [name for name, one in supported_types().items() if one.supported & one.ignored]


def test_another_process_finds_the_cloud_and_a_second_one_is_refused(
    cloud: Cloud, runtime: Path, tmp_path: Path
):
    with Cloud(
        package(tmp_path / "p", {"F": function("f")}, _CODE), tmp_path / "d", runtime=runtime
    ) as first:
        found = find_running_cloud(tmp_path / "d")

        assert found is not None
        assert found.environment == first.environment
        assert found.functions == {"F": "f"}
        with (
            pytest.raises(StartupFailed, match="already runs"),
            Cloud(tmp_path / "p", tmp_path / "d", runtime=runtime),
        ):
            pass
    assert find_running_cloud(tmp_path / "d") is None


def test_no_process_remains_when_the_block_ends(tmp_path: Path, runtime: Path):
    work = {"F": function("f", events={"Work": {"Type": "SQS", "Properties": {"Queue": arn("Work")}}})}
    folder = package(tmp_path / "p", {**work, "Work": queue("work")}, _CODE)
    with Cloud(folder, tmp_path / "d", runtime=runtime) as cloud:
        invoke_function(cloud, "f")
        pids = _child_pids(os.getpid(), tmp_path)

    assert len(pids) == 2
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not find_running_cloud(tmp_path / "d")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_remains_when_a_signal_ends_the_cloud(
    tmp_path: Path, runtime: Path, number: signal.Signals
):
    package(tmp_path / "p", {"F": function("f")}, _CODE)
    cloud = subprocess.Popen(
        [sys.executable, "-c", _RUN_SCRIPT, str(tmp_path), str(runtime)],
        cwd=_PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with cloud:
        assert cloud.stdout is not None
        pids = json.loads(cloud.stdout.readline())
        cloud.send_signal(number)

    assert len(pids) == 2
    wait_until(lambda: not [pid for pid in pids if Path(f"/proc/{pid}").exists()])
    assert find_running_cloud(tmp_path / "d") is None


_RUN_SCRIPT = """
import json, sys, time
from pathlib import Path
from infra.local.cloud import Cloud

folder, runtime = map(Path, sys.argv[1:])
with Cloud(folder / "p", folder / "d", runtime=runtime) as cloud:
    cloud.client("lambda").invoke(FunctionName="f")
    pids = [worker.pid for worker in cloud.workers()] + [cloud.moto_pid]
    sys.stdout.write(json.dumps(pids) + "\\n")
    sys.stdout.flush()
    time.sleep(600)
"""


def _child_pids(parent: int, folder: Path) -> list[int]:
    """The child processes of a cloud on this folder: moto and the workers."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _parent_pid(entry) == parent and str(folder) in _open_files(entry):
            found.append(int(entry.name))
    return found


def _parent_pid(entry: Path) -> int:
    try:
        return int(entry.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def _open_files(entry: Path) -> str:
    """The working directory and stdout of a process; one of them is in the data folder."""
    return f"{os.readlink(entry / 'cwd')} {os.readlink(entry / 'fd' / '1')}"


def test_addresses_and_tokens_of_a_cloud_stay_valid_at_its_next_start(tmp_path: Path, runtime: Path):
    folder, data = package(tmp_path / "p", {"F": function("f")}, _CODE), tmp_path / "d"
    with Cloud(folder, data, runtime=runtime) as first:
        addresses, issuer = first.environment, load_issuer(data)
    with Cloud(folder, data, runtime=runtime) as second:
        assert second.environment == addresses
        assert load_issuer(data).jwks() == issuer.jwks()
        assert load_issuer(data).url == issuer.url
    assert (data / "issuer.json").stat().st_mode & 0o777 == 0o600


def test_a_saved_port_that_another_program_took_is_replaced_and_a_chosen_one_is_refused(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        save_ports(tmp_path, Ports(api=port))

        assert choose_ports(tmp_path, None) == Ports()
        with pytest.raises(StartupFailed, match=f"{port} is in use: choose another one with --port"):
            choose_ports(tmp_path, port)
    assert choose_ports(tmp_path, port) == Ports(api=port)
