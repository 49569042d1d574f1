"""Knows whether this checkout and these credentials may ship at all."""

import re
import subprocess
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy.errors import DeployError

_STAGE_PATTERN = re.compile(r"[a-z][a-z0-9]{0,11}")


def check_stage_name(stage: str) -> str:
    """Return the stage, or refuse a name that does not fit into the names of buckets and queues."""
    if not _STAGE_PATTERN.fullmatch(stage):
        raise DeployError(f"{stage!r} is no stage: lower-case letters and digits, twelve at most.")
    return stage


def release_tag(root: Path) -> str:
    """The tag of a clean checkout: what is shipped can be found again."""
    if _git(root, "status", "--porcelain"):
        raise DeployError("The working tree has changes: commit them, or try them out with --allow-dirty.")
    tags = _git(root, "tag", "--points-at", "HEAD").split()
    if not tags:
        raise DeployError("This commit has no tag: a deploy is always of a tag, or of --allow-dirty.")
    return tags[0]


def describe_checkout(root: Path) -> str:
    """Whatever is checked out, clean or not, as git describes it."""
    return _git(root, "describe", "--always", "--dirty", "--tags")


def account_id(sts: Any) -> str:
    """The account that the credentials at hand belong to."""
    try:
        identity = sts.get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise DeployError(
            f"AWS does not know who you are ({error}). Sign in first: `aws sso login`, AWS_PROFILE, or"
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
