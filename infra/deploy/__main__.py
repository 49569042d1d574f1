"""`python -m infra.deploy STAGE`: ship build/package/aws to the account that you are signed in to."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.prompt import Confirm
from rich.table import Table

from infra.deploy.checks import account, any_release, release, stage_name
from infra.deploy.errors import DeployError
from infra.deploy.ship import Shipment, ship
from infra.deploy.stack import Change

ROOT = Path(__file__).resolve().parents[2]

console = Console(highlight=False)


def main(arguments: list[str]) -> int:
    """Run the command line; 1 when nothing was deployed."""
    chosen = _parser().parse_args(arguments)
    try:
        outputs = _deploy(chosen)
    except (DeployError, BotoCoreError, ClientError) as error:
        Console(stderr=True).print(f"deploy: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    if outputs is None:
        console.print("deploy: left as it was")
        return 1
    for name, value in sorted(outputs.items()):
        console.print(f"{name:<24} {value}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__)
    parser.add_argument("stage", help="dev, prod …: names the stack and everything in it")
    parser.add_argument("--yes", action="store_true", help="do not ask before changing anything")
    parser.add_argument("--allow-dirty", action="store_true", help="ship what is here, tagged or not")
    named = "a template parameter; those not named keep the value that the stack has"
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=named)
    return parser


def _deploy(chosen: argparse.Namespace) -> dict[str, str] | None:
    stage = stage_name(chosen.stage)
    named = any_release(ROOT) if chosen.allow_dirty else release(ROOT)
    folder = ROOT / "build" / "package" / "aws"
    if not (folder / "sam.json").exists():
        raise DeployError("Nothing is packaged: run `make package TARGET=aws` first.")
    session = boto3.Session()
    if session.region_name is None:
        raise DeployError("No region is set: name one in AWS_DEFAULT_REGION or in your AWS profile.")
    parameters = dict(pair.split("=", 1) for pair in chosen.set)
    shipment = Shipment(folder, named, stage, account(session.client("sts")), parameters)
    console.print(f"deploy: {named} to {shipment.stack}, account {shipment.account}, {session.region_name}")
    agree = _accept if chosen.yes else _ask
    return ship(shipment, session, agree=agree, tell=_tell, now=datetime.now(UTC))


def _accept(changes: tuple[Change, ...]) -> bool:
    console.print(_table(changes))
    return True


def _ask(changes: tuple[Change, ...]) -> bool:
    console.print(_table(changes))
    return Confirm.ask("Change these?", default=False, console=console)


def _tell(doing: str) -> None:
    console.print(f"[dim]deploy: {doing} …")


def _table(changes: tuple[Change, ...]) -> Table:
    table = Table(title=f"{len(changes)} changes", title_justify="left")
    for heading in ("action", "resource", "type", "replaced"):
        table.add_column(heading)
    for change in changes:
        table.add_row(change.action, change.resource, change.kind, change.replaced)
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
