"""The deployment that a command talks to: the local cloud that is up, or a stage on AWS."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloud.dynamodb.drops import DynamoDropReader
from cloud.dynamodb.people import DynamoPeople
from infra.local.discovery import find_running_cloud
from vigil_cli.console import fail
from vigil_cli.paths import DATA

StageOption = Annotated[
    str, typer.Option(help="A stage on AWS; without it, the local cloud that `vigil up` runs.")
]
DataOption = Annotated[Path, typer.Option("--data", help="Folder of the local cloud.")]


@dataclass(frozen=True)
class Deployment:
    """Names from the stack's outputs, and clients that reach them.

    settings  what boto3 needs besides the service's name: region, credentials, endpoint
    lambda_endpoint  where functions are invoked, None on AWS
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
        """A Lambda client that waits as long as a function may take, and asks once."""
        endpoint = {"endpoint_url": self.lambda_endpoint} if self.lambda_endpoint else {}
        config = Config(read_timeout=900, retries={"total_max_attempts": 1})
        return boto3.client("lambda", config=config, **(self.client_options | endpoint))

    @cached_property
    def records(self) -> DynamoDropReader:
        return DynamoDropReader(self.client("dynamodb"), self.outputs["RecordsTable"])

    @cached_property
    def people(self) -> DynamoPeople[Any]:
        return DynamoPeople(self.client("dynamodb"), self.outputs["PeopleTable"], store_gallery=_refuse_write)

    def display_name(self, subject_id: str) -> str:
        """What a person calls a subject: the enrolled name, else the subject itself."""
        person = self.people.find_person(subject_id) if subject_id.startswith("p-") else None
        return person.name if person else subject_id


def connect(stage: str, data: Path = DATA) -> Deployment:
    """The deployment, or the way out printed and exit code 2."""
    return connect_aws(stage) if stage else connect_local(data)


def connect_local(data: Path) -> Deployment:
    state = find_running_cloud(data)
    if state is None:
        fail("no local cloud is up: start one with `./vigil up`, or name a stage on AWS with --stage")
    return local_deployment(state.environment, state.outputs)


def local_deployment(environment: Mapping[str, str], outputs: Mapping[str, str]) -> Deployment:
    """The local cloud by what it says of itself."""
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
        fail(f"stage {stage} cannot be reached: {error}")
    return Deployment({row["OutputKey"]: row["OutputValue"] for row in stacks[0].get("Outputs", [])}, {})


def _refuse_write(_gallery: Any) -> Mapping[str, str]:
    raise TypeError("people are enrolled by the enrol function, not from here")


# MERGED: The deployment's functions, asked now: as a schedule would, or with a question.


def run_scheduled(cloud: Deployment, name: str) -> dict[str, Any]:
    """One run of a scheduled function, as its schedule would start it."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {"version": "0", "id": "by-hand", "source": "aws.events", "detail-type": "Scheduled Event"}
    return invoke_function(
        cloud, name, {**event, "account": "", "region": "", "time": now, "resources": [], "detail": {}}
    )


def invoke_function(cloud: Deployment, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """A function's answer, by the name that it has in the template; a failure is told with the way out."""
    response = cloud.slow_lambda_client.invoke(
        FunctionName=cloud.outputs[f"{name}Function"], Payload=json.dumps(payload).encode()
    )
    result: dict[str, Any] = json.loads(response["Payload"].read())
    if "FunctionError" in response:
        reason = result.get("errorMessage", result)
        fail(f"the function {name.lower()} failed: {reason}; see `./vigil logs {name.lower()}`")
    if "error" in result:
        fail(f"{result['error']['reason']}: {result['error']['message']}")
    return result
