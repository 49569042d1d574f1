"""`./vigil`: the list of commands."""

from collections.abc import Callable

import typer

from vigil_cli.commands import (
    alarms,
    audit,
    demo,
    dlq,
    drops,
    lanes,
    logs,
    maintenance,
    models,
    people,
    predict,
    rules,
    status,
    up,
    verify_erasure,
)

app = typer.Typer(
    name="vigil",
    help="Drop a photo, know who is in it. `up` starts the cloud on this machine; the other commands talk to "
    "it, or with --stage to a deployment on AWS.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
COMMANDS: tuple[Callable[..., None], ...] = (
    up.up,
    status.status,
    drops.drop,
    people.enrol,
    drops.sightings,
    drops.alerts,
    drops.ledger,
    rules.watch,
    predict.predict,
    alarms.alarms,
    logs.logs,
    maintenance.triage,
    maintenance.reconcile,
    maintenance.backfill,
    lanes.pause,
    lanes.resume,
    people.people,
    people.review,
    people.consent,
    people.erase,
    models.models,
    models.label,
    models.train,
    models.promote,
    models.reject,
    models.rollback,
    models.offer,
    models.evaluate,
    up.token,
    demo.demo,
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(dlq.app, name="dlq")
app.add_typer(audit.app, name="audit")
app.add_typer(verify_erasure.app, name="erasure")

if __name__ == "__main__":
    app(prog_name="vigil")
