"""AWS's own patience ends with the invocation."""

import time
from typing import Any

import boto3
import pytest
from botocore.config import Config

from cloud.deadline import MARGIN_S, Deadline
from cloud.faults import faults
from vigil.errors import Transient

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of a service that refuses every connection, with more patience than any invocation has."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    config = Config(connect_timeout=1, retries={"mode": "standard", "total_max_attempts": 50})
    return boto3.client("sqs", region_name="eu-west-1", endpoint_url=NOWHERE, config=config)


def test_retries_end_before_the_invocation_does(client: Any):
    deadline = Deadline()
    deadline.watch(client)
    deadline.begin(MARGIN_S + 0.3)
    began = time.monotonic()

    with pytest.raises(Transient, match="no time left"), faults("list queues"):
        client.list_queues()

    assert time.monotonic() - began < 20


def test_when_time_is_over_nothing_is_begun(client: Any):
    deadline = Deadline()
    deadline.watch(client)
    deadline.begin(0)
    began = time.monotonic()

    with pytest.raises(Transient, match="no time left"), faults("list queues"):
        client.list_queues()

    assert time.monotonic() - began < 0.2
