"""Checks before a deployment: the stage name, the checkout and the credentials."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

_STAGE_PATTERN = re.compile(r"[a-z][a-z0-9]{0,11}")


class DeployError(Exception):
    """The deployment stopped; CloudFormation has rolled back any change that it had begun."""


def check_stage_name(stage: str) -> str:
    """Return the stage. Raises DeployError for a name that does not fit into names of buckets and queues."""
    if not _STAGE_PATTERN.fullmatch(stage):
        raise DeployError(
            f"{stage!r} is not a stage name: use a lower-case letter and up to eleven letters or digits."
        )
    return stage


def release_tag(root: Path) -> str:
    """Return the tag of a clean checkout, by which the deployed sources can be found again."""
    if _git(root, "status", "--porcelain"):
        raise DeployError("The working tree has changes: commit them, or deploy them with --allow-dirty.")
    tags = _git(root, "tag", "--points-at", "HEAD").split()
    if not tags:
        raise DeployError("This commit has no tag: tag it, or deploy it with --allow-dirty.")
    return tags[0]


def describe_checkout(root: Path) -> str:
    """Return git's description of the checkout, clean or not."""
    return _git(root, "describe", "--always", "--dirty", "--tags")


def account_id(sts: Any) -> str:
    """Return the account of the current credentials. Raises DeployError without valid credentials."""
    try:
        identity = sts.get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise DeployError(
            f"AWS rejects the credentials ({error}). Sign in with `aws sso login`, AWS_PROFILE, or"
            " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from error
    return str(identity["Account"])


def existing_keys(kms: Any, stage: str) -> dict[str, str]:
    """Return the parameters for the keys of a deleted stack of this stage: only they can read its data."""
    aliases = {"KeyArn": f"alias/vigil-{stage}", "MacKeyArn": f"alias/vigil-{stage}-mac"}
    found: dict[str, str] = {}
    for parameter, alias in aliases.items():
        try:
            key = kms.describe_key(KeyId=alias)["KeyMetadata"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NotFoundException":
                raise
            continue
        if key["KeyState"] != "Enabled":
            raise DeployError(
                f"The key {alias} of an earlier stack is {key['KeyState']}; its data cannot be read:"
                " enable it (`aws kms cancel-key-deletion`, `aws kms enable-key`), or delete the alias."
            )
        found[parameter] = str(key["Arn"])
    return found


RESERVATIONS = {"PredictConcurrency": "predict", "ApiConcurrency": "api"}
"""The function for which each parameter reserves concurrency."""

MIN_UNRESERVED = 100
"""Lambda refuses a reservation that leaves less than this to all other functions of the account:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

_INCREASE = (
    "request an increase of 'Concurrent executions' in Service Quotas (new accounts begin with 10 or 50)"
)


def check_concurrency(lambda_client: Any, stage: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
    """Compare the parameters with the account's concurrency; returns warnings.

    Raises DeployError if Lambda would refuse the reservations.
    """
    limits = lambda_client.get_account_settings()["AccountLimit"]
    limit, unreserved = int(limits["ConcurrentExecutions"]), int(limits["UnreservedConcurrentExecutions"])
    reservations = {name: int(parameters.get(name, 0)) for name in RESERVATIONS}
    own = sum(_reserved(lambda_client, f"vigil-{stage}-{RESERVATIONS[name]}") for name in reservations)
    remaining = unreserved + own - sum(reservations.values())
    if any(reservations.values()) and remaining < MIN_UNRESERVED:
        listed = ", ".join(f"{name}={number}" for name, number in reservations.items() if number)
        raise DeployError(
            f"{listed} would leave {remaining} of this account's {limit} concurrent executions unreserved;"
            f" Lambda requires {MIN_UNRESERVED}. Set them to 0, or {_INCREASE}."
        )
    workers, available = int(parameters.get("Workers", 0)), limit - sum(reservations.values())
    if workers <= available:
        return ()
    return (
        f"Workers={workers} do not fit: {available} functions can run at once in this account and region,"
        f" and the other functions share them. Lower Workers and MinLiveWorkers, or {_INCREASE}.",
    )


def _reserved(lambda_client: Any, function: str) -> int:
    try:
        answer = lambda_client.get_function_concurrency(FunctionName=function)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return 0
        raise
    return int(answer.get("ReservedConcurrentExecutions", 0))


def _git(root: Path, *arguments: str) -> str:
    completed = subprocess.run(
        ["git", "-C", str(root), *arguments], check=False, capture_output=True, text=True
    )
    if completed.returncode != 0:
        raise DeployError(f"git {arguments[0]} failed: {completed.stderr.strip()}")
    return completed.stdout.strip()
