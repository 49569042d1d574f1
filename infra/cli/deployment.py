"""The deployment that a command talks to: the local cloud that is up, or a stage on AWS."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloud.people import DynamoPeople
from cloud.records import DynamoRecords
from infra.cli.places import DATA
from infra.cli.saying import fail
from infra.local import cloud_file

Stage = Annotated[str, typer.Option(help="A stage on AWS; without it, the local cloud that `vigil up` runs.")]
Data = Annotated[Path, typer.Option("--data", help="Folder of the local cloud.")]


@dataclass(frozen=True)
class Deployment:
    """Names from the stack's outputs, and clients that reach them.

    settings  what boto3 needs besides the service's name: region, credentials, endpoint
    lambda_endpoint  where functions are invoked, None on AWS
    """

    outputs: Mapping[str, str]
    settings: dict[str, Any]
    lambda_endpoint: str | None = None

    def client(self, service: str) -> Any:
        where = {"endpoint_url": self.lambda_endpoint} if service == "lambda" and self.lambda_endpoint else {}
        return boto3.client(service, config=Config(retries={"mode": "standard"}), **(self.settings | where))

    @property
    def patient(self) -> Any:
        """A Lambda client that waits as long as a function may take, and asks once."""
        where = {"endpoint_url": self.lambda_endpoint} if self.lambda_endpoint else {}
        config = Config(read_timeout=900, retries={"total_max_attempts": 1})
        return boto3.client("lambda", config=config, **(self.settings | where))

    @cached_property
    def records(self) -> DynamoRecords:
        return DynamoRecords(self.client("dynamodb"), self.outputs["RecordsTable"])

    @cached_property
    def people(self) -> DynamoPeople[Any]:
        return DynamoPeople(self.client("dynamodb"), self.outputs["PeopleTable"], store=_read_only)

    def name(self, subject: str) -> str:
        """What a person calls a subject: the enrolled name, else the subject itself."""
        person = self.people.person(subject) if subject.startswith("p-") else None
        return person.name if person else subject


def reached(stage: str, data: Path = DATA) -> Deployment:
    """The deployment, or the way out printed and exit code 2."""
    return on_aws(stage) if stage else on_this_machine(data)


def on_this_machine(data: Path) -> Deployment:
    state = cloud_file.find(data)
    if state is None:
        fail("no local cloud is up: start one with `./vigil up`, or name a stage on AWS with --stage")
    return local(state.environment, state.outputs)


def local(environment: Mapping[str, str], outputs: Mapping[str, str]) -> Deployment:
    """The local cloud by what it says of itself."""
    settings = {
        "endpoint_url": environment["AWS_ENDPOINT_URL"],
        "region_name": environment["AWS_DEFAULT_REGION"],
        "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
    }
    return Deployment(outputs, settings, environment["AWS_ENDPOINT_URL_LAMBDA"])


def on_aws(stage: str) -> Deployment:
    try:
        stacks = boto3.client("cloudformation").describe_stacks(StackName=f"vigil-{stage}")["Stacks"]
    except (BotoCoreError, ClientError) as error:
        fail(f"stage {stage} cannot be reached: {error}")
    return Deployment({row["OutputKey"]: row["OutputValue"] for row in stacks[0].get("Outputs", [])}, {})


def _read_only(_gallery: Any) -> Mapping[str, str]:
    raise TypeError("people are enrolled by the enrol function, not from here")
