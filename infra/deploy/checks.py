"""Knows whether this checkout and these credentials may ship at all."""

import re
import subprocess
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy.errors import DeployError

_STAGE = re.compile(r"[a-z][a-z0-9]{0,11}")


def stage_name(stage: str) -> str:
    """Return the stage, or refuse a name that does not fit into the names of buckets and queues."""
    if not _STAGE.fullmatch(stage):
        raise DeployError(f"{stage!r} is no stage: lower-case letters and digits, twelve at most.")
    return stage


def release(root: Path) -> str:
    """The tag of a clean checkout: what is shipped can be found again."""
    if _git(root, "status", "--porcelain"):
        raise DeployError("The working tree has changes: commit them, or try them out with --allow-dirty.")
    tags = _git(root, "tag", "--points-at", "HEAD").split()
    if not tags:
        raise DeployError("This commit has no tag: a deploy is always of a tag, or of --allow-dirty.")
    return tags[0]


def any_release(root: Path) -> str:
    """Whatever is checked out, clean or not, as git describes it."""
    return _git(root, "describe", "--always", "--dirty", "--tags")


def account(sts: Any) -> str:
    """The account that the credentials at hand belong to."""
    try:
        identity = sts.get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise DeployError(
            f"AWS does not know who you are ({error}). Sign in first: `aws sso login`, AWS_PROFILE, or"
            " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from error
    return str(identity["Account"])


def _git(root: Path, *words: str) -> str:
    answer = subprocess.run(["git", "-C", str(root), *words], check=False, capture_output=True, text=True)
    if answer.returncode != 0:
        raise DeployError(f"git {words[0]} failed: {answer.stderr.strip()}")
    return answer.stdout.strip()
