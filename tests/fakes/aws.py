"""Clients of moto's services in this process."""

from functools import cache
from typing import Any

import boto3


@cache
def mocked_client(service: str) -> Any:
    """Return the client of a service for use inside `mock_aws`.

    All tests of this process share it: creating one takes longer than most tests.
    """
    return boto3.client(
        service,
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
