"""boto3 clients of the local cloud; each is created once and shared by all threads."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config

_CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
_CLIENT_CONFIG = Config(
    retries={"total_max_attempts": 1, "mode": "standard"}, max_pool_connections=64, read_timeout=60
)
"""No retries: while the cloud stops, a call to moto must fail at once."""


def client_environment(region: str, default: str, endpoint: str) -> dict[str, str]:
    """Environment variables with which an AWS client of any process finds this cloud."""
    return {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": default,
        "AWS_ENDPOINT_URL_LAMBDA": endpoint,
        "AWS_ENDPOINT_URL_SAGEMAKER": endpoint,
    }


class AwsClients:
    """Clients by service; `default` is the URL of every service without an endpoint of its own."""

    def __init__(self, region: str, default: str) -> None:
        self._session = boto3.Session(region_name=region, **_CREDENTIALS)
        self._default = default
        self._endpoints: dict[str, str] = {}
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def set_endpoints(self, endpoints: Mapping[str, str]) -> None:
        """Set the URLs of some services."""
        self._endpoints.update(endpoints)

    def get(self, service: str) -> Any:
        """The client of a service, for instance `sqs`."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._create_client(service)
            return self._clients[service]

    def _create_client(self, service: str) -> Any:
        endpoint = self._endpoints.get(service, self._default)
        return self._session.client(service, endpoint_url=endpoint, config=_CLIENT_CONFIG)
