"""`vigil ops audit`: the entries of the audit log, and whether they were changed."""

from itertools import islice

import click

from vigil_cli.console import err, format_time, new_table, styled
from vigil_cli.session import LimitOption, Session
from vigil_client import Vigil
from vigil_client.types import AuditVerification


def show(session: Session, limit: LimitOption = 30) -> None:
    """Print the newest entries of the audit log, newest first.

    Example: ./vigil ops audit show -n 10
    """
    with session.api("admin") as api:
        rows = list(islice(api.list_audit_entries(), limit))
    table = new_table("Audit log", "time", "caller", "role", "operation", "resources")
    for row in rows:
        resources = " ".join(f"{name}={ident}" for name, ident in row["resource_ids"].items())
        table.add_row(format_time(row["at"]), row["caller"], row["role"], row["operation"], resources)
    session.show(rows, lambda: table if rows else "the audit log has no entry")


def verify(session: Session) -> None:
    """Verify the hash chains of the audit log and all signed checkpoints; exit code 1 if one is invalid.

    Example: ./vigil ops audit verify
    """
    with session.api("admin") as api:
        result = _verify_all(api)
    for one in result["breaks"]:
        place = f"{one['chain']}, entry {one['number']}: {one['reason']}"
        err.print(styled("[red]broken[/] {}", place))
    if error := result.get("checkpoint_error"):
        err.print(styled("[red]invalid[/] signature of a checkpoint: {}", error))
    checkpoint = result.get("checkpoint_at")
    text = (
        f"checkpoints: {result['checkpoints']}, the newest of {format_time(checkpoint)}"
        if checkpoint
        else "no checkpoint yet: removed last entries are not detected"
    )
    state = "[green]valid[/]" if result["valid"] else "[red]invalid[/]"
    summary = f"{result['entries']} entries in {result['chains']} chains; {text}"
    session.show([result], lambda: styled(f"{state}: {{}}", summary))
    if not result["valid"]:
        raise click.exceptions.Exit(1)


def _verify_all(api: Vigil) -> AuditVerification:
    """The first answer, with the breaks and checkpoints of all following ones."""
    result = api.verify_audit_log()
    while cursor := result.pop("next", None):
        older = api.verify_audit_log(cursor=cursor)
        result["valid"] = result["valid"] and older["valid"]
        result["checkpoints"] += older["checkpoints"]
        result["breaks"] += older["breaks"]
        if "checkpoint_error" in older:
            result["checkpoint_error"] = older["checkpoint_error"]
        if "next" in older:
            result["next"] = older["next"]
    return result
