"""`./vigil`: the list of commands."""

from collections.abc import Callable

import typer

from infra.cli import (
    alarms,
    audit,
    backfill,
    demo,
    desk,
    dlq,
    drop,
    enrol,
    erasure,
    lanes,
    ledger,
    logs,
    models,
    offer,
    predict,
    reconcile,
    status,
    token,
    triage,
    up,
    watch,
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
    drop.drop,
    enrol.enrol,
    ledger.sightings,
    ledger.alerts,
    ledger.ledger,
    watch.watch,
    predict.predict,
    alarms.alarms,
    logs.logs,
    triage.triage,
    reconcile.reconcile,
    backfill.backfill,
    lanes.pause,
    lanes.resume,
    desk.people,
    desk.review,
    desk.consent,
    desk.erase,
    models.models,
    models.label,
    models.train,
    models.promote,
    models.reject,
    models.rollback,
    offer.offer,
    models.evaluate,
    token.token,
    demo.demo,
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(dlq.app, name="dlq")
app.add_typer(audit.app, name="audit")
app.add_typer(erasure.app, name="erasure")

if __name__ == "__main__":
    app(prog_name="vigil")
