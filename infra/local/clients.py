"""boto3 clients for the local cloud, each made once and shared by all threads."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config

_CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
_WAITING = Config(
    retries={"total_max_attempts": 1, "mode": "standard"}, max_pool_connections=64, read_timeout=60
)
"""No retries: while the cloud stops, whoever waits for moto must fail at once."""


def addresses(region: str, default: str, door: str) -> dict[str, str]:
    """The variables by which any AWS client, in any process, finds this cloud."""
    return {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": default,
        "AWS_ENDPOINT_URL_LAMBDA": door,
        "AWS_ENDPOINT_URL_EVENTBRIDGE": door,
        "AWS_ENDPOINT_URL_SAGEMAKER": door,
    }


class Clients:
    """Clients whose service is at its own address, or else at `default`."""

    def __init__(self, region: str, default: str) -> None:
        self._session = boto3.Session(region_name=region, **_CREDENTIALS)
        self._default = default
        self._addresses: dict[str, str] = {}
        self._made: dict[str, Any] = {}
        self._lock = threading.Lock()

    def move(self, addresses: Mapping[str, str]) -> None:
        """Say where some services are instead."""
        self._addresses.update(addresses)

    def get(self, service: str) -> Any:
        """The client of a service, for instance `sqs`."""
        with self._lock:
            if service not in self._made:
                self._made[service] = self._client(service)
            return self._made[service]

    def resource(self, service: str) -> Any:
        """boto3's object view of a service; not shared between threads."""
        return self._session.resource(service, endpoint_url=self._address(service))

    def _client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self._address(service), config=_WAITING)

    def _address(self, service: str) -> str:
        return self._addresses.get(service, self._default)
