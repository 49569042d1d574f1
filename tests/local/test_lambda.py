"""Invocations of functions: environment, results, errors, limits and workers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from infra.local.cloud import Cloud
from tests.local.packages import function, package
from tests.local.waiting import invoke_function, wait_until


def test_an_invocation_returns_the_result_of_the_handler(cloud: Cloud):
    answer, error = invoke_function(cloud, "echo", {"a": 1})

    assert error is None
    assert answer["event"] == {"a": 1}
    assert 0 < answer["left"] <= 10_000


def test_the_log_of_an_invocation_begins_with_start_and_ends_with_report(cloud: Cloud):
    answer, _ = invoke_function(cloud, "echo", {"b": 2})

    start, line, end, report = cloud.invocation_logs(answer["request_id"])
    assert start == f"START RequestId: {answer['request_id']} Version: $LATEST"
    assert line == 'echoing {"b": 2}'
    assert end == f"END RequestId: {answer['request_id']}"
    assert "Memory Size: 256 MB" in report
    assert report in list(cloud.logs("echo"))


def test_a_worker_has_the_environment_of_lambda_and_of_its_function_and_no_other(cloud: Cloud, monkeypatch):
    answer, _ = invoke_function(cloud, "environment", {"import": []})

    environment = answer["environment"]
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "environment"
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environment["STAGE"] == "local"
    assert environment["LAMBDA_TASK_ROOT"] == answer["cwd"]
    assert not {"HOME", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST"} & set(environment)


def test_packages_outside_the_function_and_the_runtime_cannot_be_imported(cloud: Cloud):
    answer, _ = invoke_function(
        cloud, "environment", {"import": ["boto3", "moto", "pytest", "infra", "vigil"]}
    )

    assert answer["importable"] == ["boto3"]


def test_a_layer_is_on_the_import_path_and_below_opt(cloud: Cloud):
    answer, error = invoke_function(cloud, "read")

    assert error is None
    assert answer == {"text": "from the layer", "module": "in layer"}


def test_a_warm_worker_is_reused(cloud: Cloud):
    first, _ = invoke_function(cloud, "pid")
    second, _ = invoke_function(cloud, "pid")

    assert first == second


def test_an_exception_is_the_function_s_error(cloud: Cloud):
    answer, error = invoke_function(cloud, "fail", {"x": 1})

    assert error == "Unhandled"
    assert answer["errorType"] == "ValueError"
    assert answer["errorMessage"] == "no {'x': 1}"


def test_a_function_is_killed_at_its_timeout(cloud: Cloud):
    answer, error = invoke_function(cloud, "slow", {"seconds": 30})

    assert error == "Unhandled"
    assert answer["errorType"] == "Sandbox.Timedout"
    assert answer["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert not [worker for worker in cloud.workers() if worker.function == "slow"]


def test_a_crash_is_an_error_and_the_next_event_runs_in_a_new_worker(cloud: Cloud):
    first, error = invoke_function(cloud, "crash")
    second, _ = invoke_function(cloud, "crash")

    assert error == "Unhandled"
    assert first["errorType"] == "Runtime.ExitError"
    assert first["errorMessage"].endswith("Runtime exited with error: exit status 7")
    assert second["errorType"] == "Runtime.ExitError"


def test_a_worker_killed_from_outside_fails_only_its_own_event(cloud: Cloud):
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(invoke_function, cloud, "killed", {"seconds": 600})
        killed = wait_until(lambda: cloud.kill_worker("killed"))
        answer, _ = waiting.result()

    assert answer["errorMessage"].endswith("signal: killed")
    assert killed not in [worker.pid for worker in cloud.workers()]
    assert invoke_function(cloud, "killed", {"seconds": 0}) == ("slept", None)


def test_a_function_that_exceeds_its_memory_is_killed(cloud: Cloud):
    answer, error = invoke_function(cloud, "use_memory")

    assert error == "Unhandled"
    assert answer["errorType"] == "Runtime.ExitError"
    assert answer["errorMessage"].endswith("signal: killed")
    assert any("Runtime.OutOfMemory" in line for line in cloud.logs("use_memory"))


def test_a_response_above_six_megabytes_is_an_error(cloud: Cloud):
    answer, error = invoke_function(cloud, "large")

    assert error == "Unhandled"
    assert answer["errorType"] == "Function.ResponseSizeTooLarge"


def test_more_than_the_reserved_concurrency_is_throttled(cloud: Cloud):
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(invoke_function, cloud, "reserved", {"seconds": 600})
        wait_until(lambda: [one for one in cloud.workers() if one.function == "reserved" and one.request_id])
        with pytest.raises(ClientError) as refused:
            invoke_function(cloud, "reserved")
        wait_until(lambda: cloud.kill_worker("reserved"))
        running.result()

    assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert cloud.invocations["reserved"].throttles >= 1


def test_an_unknown_function_is_not_found(cloud: Cloud):
    with pytest.raises(ClientError) as refused:
        invoke_function(cloud, "nobody")

    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_an_asynchronous_event_is_tried_three_times_and_then_dropped(cloud: Cloud):
    before = cloud.invocations["fail"].errors if "fail" in cloud.invocations else 0

    answer = cloud.client("lambda").invoke(FunctionName="fail", InvocationType="Event", Payload=b'{"y":1}')

    assert answer["StatusCode"] == 202
    wait_until(lambda: any(line.startswith("DROPPED RequestId: ") for line in cloud.logs("fail")))
    assert cloud.invocations["fail"].errors == before + 3


_POOL_CODE = """
import os
import time

def f(event, context):
    time.sleep(event.get("s", 0))
    return os.getpid()
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, runtime: Path) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("small")
    functions = {
        "First": function("f", FunctionName="first", Timeout=900),
        "Second": function("f", FunctionName="second"),
    }
    made = package(folder / "p", functions, _POOL_CODE)
    with Cloud(made, folder / "d", runtime=runtime, max_workers=1, idle_s=1) as running:
        yield running


def test_an_idle_worker_makes_room_for_another_function(small: Cloud):
    first, _ = invoke_function(small, "first")
    second, _ = invoke_function(small, "second")

    assert first != second
    assert first not in [worker.pid for worker in small.workers()]


def test_a_worker_is_stopped_after_the_idle_time(small: Cloud):
    invoke_function(small, "first")

    wait_until(lambda: not small.workers())
    assert small.invocations["first"].cold_starts >= 1


def test_a_synchronous_invocation_runs_while_another_function_holds_the_last_worker(small: Cloud):
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(invoke_function, small, "first", {"s": 600})
        wait_until(lambda: [worker.state for worker in small.workers()] == ["busy"])

        invoke_function(small, "second")

        assert [one.state for one in small.workers() if one.function == "first"] == ["busy"]
        wait_until(lambda: small.kill_worker("first"))
        first.result()


def test_a_payload_that_is_not_json_is_refused(small: Cloud):
    lambda_ = small.client("lambda")

    with pytest.raises(lambda_.exceptions.InvalidRequestContentException):
        lambda_.invoke(FunctionName="first", Payload=b"{")
