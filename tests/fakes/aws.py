"""Clients of moto's services in this process."""

from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError


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


class RefusingClient:
    """A client whose next calls of one operation fail with these errors, one after another."""

    def __init__(self, client: Any, operation: str, *errors: ClientError) -> None:
        self._client, self._operation, self.errors = client, operation, list(errors)

    def __getattr__(self, name: str) -> Any:
        return self._call if name == self._operation else getattr(self._client, name)

    def _call(self, **request: Any) -> Any:
        if self.errors:
            raise self.errors.pop(0)
        return getattr(self._client, self._operation)(**request)


def client_error(code: str, operation: str = "Call") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, operation)


def cancelled_transaction(*reasons: str) -> ClientError:
    """As DynamoDB's TransactWriteItems raises it; "None" is the reason of a write without a fault.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """
    response: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": ""},
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    return ClientError(response, "TransactWriteItems")
