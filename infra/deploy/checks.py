"""Checks before a deployment: the stage name, the checkout and the credentials."""

import re
import subprocess
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


def _git(root: Path, *arguments: str) -> str:
    completed = subprocess.run(
        ["git", "-C", str(root), *arguments], check=False, capture_output=True, text=True
    )
    if completed.returncode != 0:
        raise DeployError(f"git {arguments[0]} failed: {completed.stderr.strip()}")
    return completed.stdout.strip()
