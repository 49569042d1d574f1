"""Direct access to a deployment's AWS services, for the commands that work without its API."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.discovery import find_running_cloud
from vigil_cli.console import fail
from vigil_cli.paths import DATA
from vigil_cli.session import NO_LOCAL_CLOUD


@dataclass(frozen=True)
class Deployment:
    """The outputs of a stack, and clients of its services.

    client_options   keyword arguments of boto3 besides the service's name: region, credentials, endpoint
    lambda_endpoint  where functions are invoked; None on AWS
    """

    outputs: Mapping[str, str]
    client_options: dict[str, Any]
    lambda_endpoint: str | None = None

    def client(self, service: str) -> Any:
        endpoint = (
            {"endpoint_url": self.lambda_endpoint} if service == "lambda" and self.lambda_endpoint else {}
        )
        return boto3.client(
            service, config=Config(retries={"mode": "standard"}), **(self.client_options | endpoint)
        )

    @property
    def slow_lambda_client(self) -> Any:
        """A Lambda client that waits as long as a function may run, and does not retry."""
        endpoint = {"endpoint_url": self.lambda_endpoint} if self.lambda_endpoint else {}
        config = Config(read_timeout=900, retries={"total_max_attempts": 1})
        return boto3.client("lambda", config=config, **(self.client_options | endpoint))


def connect(stage: str, data: Path = DATA) -> Deployment:
    """The stage on AWS, or the local cloud that runs on a data folder; exits with code 2 if there is none."""
    return connect_aws(stage) if stage else connect_local(data)


def connect_local(data: Path) -> Deployment:
    state = find_running_cloud(data)
    if state is None:
        fail(NO_LOCAL_CLOUD)
    return local_deployment(state.environment, state.outputs)


def local_deployment(environment: Mapping[str, str], outputs: Mapping[str, str]) -> Deployment:
    client_options = {
        "endpoint_url": environment["AWS_ENDPOINT_URL"],
        "region_name": environment["AWS_DEFAULT_REGION"],
        "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
    }
    return Deployment(outputs, client_options, environment["AWS_ENDPOINT_URL_LAMBDA"])


def connect_aws(stage: str) -> Deployment:
    try:
        stacks = boto3.client("cloudformation").describe_stacks(StackName=f"vigil-{stage}")["Stacks"]
    except (BotoCoreError, ClientError) as error:
        fail(f"cannot read the stack vigil-{stage}: {error}; check the AWS credentials and the region")
    return Deployment({row["OutputKey"]: row["OutputValue"] for row in stacks[0].get("Outputs", [])}, {})
