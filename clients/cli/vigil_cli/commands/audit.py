"""`vigil audit`: who looked at whom and who decided what, and whether anybody changed that record."""

from itertools import islice
from typing import Annotated

import click

from cloud.dynamodb.audit_log import DynamoAuditLog
from cloud.kms import KmsMac
from cloud.s3.audit_checkpoints import S3AuditCheckpoints
from vigil.access.audit import (
    CHAIN_COUNT,
    AuditCheckpoint,
    AuditEntry,
    ChainBreak,
    ChainHead,
    compare_with_checkpoint,
    find_first_break,
)
from vigil.access.signing import InvalidSignature
from vigil_cli.command_line import Option
from vigil_cli.console import (
    err,
    fail,
    new_table,
    out,
)
from vigil_cli.deployment import Deployment
from vigil_cli.session import Session


def verify(session: Session) -> None:
    """Walk every chain from its start; exit code 1 and the first broken link where one does not hold.

    Example: ./vigil ops audit verify
    """
    cloud = session.deployment()
    log = DynamoAuditLog(cloud.client("dynamodb"), cloud.outputs["AuditTable"])
    checkpoint = _newest_checkpoint(cloud)
    chains = [list(chain) for chain in log.read_chains()]
    broken = [link for link in map(find_first_break, chains) if link] or _truncated_chains(chains, checkpoint)
    for link in broken:
        err.print(f"[red]broken[/] {link.chain}, entry {link.number}: {link.reason}")
    if broken:
        raise click.exceptions.Exit(1)
    checkpoint_text = (
        f"checkpoint of {checkpoint.at:%Y-%m-%d %H:%M:%S}"
        if checkpoint
        else "no checkpoint yet: an end cut off is not missed"
    )
    out.print(
        f"[green]whole[/] {sum(map(len, chains))} entries in {sum(map(bool, chains))} chains; "
        f"{checkpoint_text}"
    )


def _truncated_chains(
    chains: list[list[tuple[AuditEntry, str]]], checkpoint: AuditCheckpoint | None
) -> list[ChainBreak]:
    """Chains that are not those of the checkpoint."""
    if checkpoint is None:
        return []
    digests_by_chain = [[mark for _, mark in chain] for chain in chains]
    truncated = (
        compare_with_checkpoint(name, digests_by_chain[number], checkpoint.heads.get(name, ChainHead()))
        for number, name in enumerate(f"chain-{n}" for n in range(CHAIN_COUNT))
    )
    return [link for link in truncated if link]


def _newest_checkpoint(cloud: Deployment) -> AuditCheckpoint | None:
    """The newest, by its seal."""
    mac = KmsMac(cloud.client("kms"), cloud.outputs["MacKey"])
    try:
        return S3AuditCheckpoints(cloud.client("s3"), cloud.outputs["StoreBucket"], mac).read_latest()
    except InvalidSignature as error:
        fail(f"the newest checkpoint cannot be believed: {error}")


def show(
    session: Session,
    limit: Annotated[
        int,
        Option(help="How many entries.", min=1, flags=("--lines", "-n")),
    ] = 30,
) -> None:
    """Print the newest acts, newest first.

    Example: ./vigil ops audit show -n 10
    """
    cloud = session.deployment()
    log = DynamoAuditLog(cloud.client("dynamodb"), cloud.outputs["AuditTable"])
    entries = [entry for chain in log.read_chains() for entry, _ in chain]
    table = new_table("Audit log", "at", "caller", "role", "act", "about")
    for entry in islice(sorted(entries, key=lambda entry: entry.at, reverse=True), limit):
        about = " ".join(f"{name}={text}" for name, text in entry.resource_ids.items())
        table.add_row(
            entry.at.isoformat(timespec="seconds"), entry.caller, entry.role, entry.operation, about
        )
    out.print(table)
