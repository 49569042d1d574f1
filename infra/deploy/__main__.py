"""`python -m infra.deploy STAGE`: deploy build/package/aws to the AWS account of the current credentials."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.prompt import Confirm
from rich.table import Table

from infra.deploy.checks import (
    DeployError,
    account_id,
    check_concurrency,
    check_stage_name,
    describe_checkout,
    release_tag,
)
from infra.deploy.deploy import DeployRequest, ResourceChange, deploy_stack, effective_parameters

ROOT = Path(__file__).resolve().parents[2]

console = Console(highlight=False)


def main(arguments: list[str]) -> int:
    """Run the command line; returns 1 if nothing was deployed."""
    chosen = _parser().parse_args(arguments)
    try:
        outputs = _deploy(chosen)
    except (DeployError, BotoCoreError, ClientError) as error:
        Console(stderr=True).print(f"deploy: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    if outputs is None:
        console.print("deploy: cancelled, nothing changed")
        return 1
    for name, value in sorted(outputs.items()):
        console.print(f"{name:<24} {value}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__)
    parser.add_argument("stage", help="for instance dev or prod; part of the names of all resources")
    parser.add_argument("--yes", action="store_true", help="apply the changes without confirmation")
    parser.add_argument(
        "--allow-dirty", action="store_true", help="deploy this checkout even if it is changed or has no tag"
    )
    parameters_help = "set a template parameter; others keep the value that the stack has"
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=parameters_help)
    return parser


def _deploy(chosen: argparse.Namespace) -> dict[str, str] | None:
    stage = check_stage_name(chosen.stage)
    release_name = describe_checkout(ROOT) if chosen.allow_dirty else release_tag(ROOT)
    folder = ROOT / "build" / "package" / "aws"
    if not (folder / "sam.json").exists():
        raise DeployError("There is no package: run `make package TARGET=aws` first.")
    session = boto3.Session()
    if session.region_name is None:
        raise DeployError("No region is set: set AWS_DEFAULT_REGION or the region of your AWS profile.")
    parameters = dict(pair.split("=", 1) for pair in chosen.set)
    request = DeployRequest(folder, release_name, stage, account_id(session.client("sts")), parameters)
    console.print(
        f"deploy: {release_name} to {request.stack_name}, account {request.account}, {session.region_name}"
    )
    effective = effective_parameters(request, session.client("cloudformation"))
    for warning in check_concurrency(session.client("lambda"), stage, effective):
        console.print(f"deploy: {warning}", style="yellow", markup=False, soft_wrap=True)
    confirm = _accept_changes if chosen.yes else _ask_for_confirmation
    return deploy_stack(request, session, confirm=confirm, on_progress=_print_progress, now=datetime.now(UTC))


def _accept_changes(changes: tuple[ResourceChange, ...]) -> bool:
    console.print(_changes_table(changes))
    return True


def _ask_for_confirmation(changes: tuple[ResourceChange, ...]) -> bool:
    console.print(_changes_table(changes))
    return Confirm.ask("Apply these changes?", default=False, console=console)


def _print_progress(activity: str) -> None:
    console.print(f"[dim]deploy: {activity} …")


def _changes_table(changes: tuple[ResourceChange, ...]) -> Table:
    table = Table(title=f"{len(changes)} changes", title_justify="left")
    for heading in ("action", "resource", "type", "replaced"):
        table.add_column(heading)
    for change in changes:
        table.add_row(change.action, change.resource, change.kind, change.replacement)
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
