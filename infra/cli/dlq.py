"""`vigil dlq`: dead letters looked at, sent back or set aside, each with a line in the ledger to say why."""

import getpass
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from infra.cli.deployment import Data, Deployment, Stage, reached
from infra.cli.places import DATA
from infra.cli.saying import ago, fail, out, table
from infra.cli.ward import let_go, letters, ward
from vigil.flow.triage import Round, Ward, act
from vigil.steady.fingerprint import fingerprint
from vigil.steady.letters import Decision, Letter, Quarantine, Redrive
from vigil.steady.record import Record

app = typer.Typer(
    help="Dead letters: `list`, `show`, `redrive`, `quarantine`. Triage mends by itself; this is for people.",
    no_args_is_help=True,
)
Ident = Annotated[str, typer.Argument(help="A letter, by its id or the beginning of it.")]
Why = Annotated[str, typer.Option(help="The reason, for the ledger.")]
Most = Annotated[int, typer.Option("--most", "-n", help="How many letters of a lane at most.", min=1)]


@app.command("list")
def list_(most: Most = 50, stage: Stage = "", data: Data = DATA) -> None:
    """Every dead letter, with where and how its drop failed.

    Example: ./vigil dlq list
    """
    cloud = reached(stage, data)
    found = letters(cloud, "", most)
    let_go(cloud, found)
    records = ward(cloud).records.read({drop.id for letter in found for drop in letter.drops})
    made = table("Dead letters", "letter", "lane", "sent", ">sent back", "what happened", "drop")
    for letter in sorted(found, key=lambda one: one.sent):
        drop = letter.drops[0].id if letter.drops else ""
        mark = fingerprint(records.get(drop))
        what = f"{mark.stage}: {mark.kind}: {mark.message}" if drop else "announces nothing"
        made.add_row(letter.id[:8], letter.lane, ago(letter.sent), str(letter.redrives), what, drop[:8])
    out.print(made if found else "no dead letters")


@app.command()
def show(letter: Ident, stage: Stage = "", data: Data = DATA) -> None:
    """One letter whole, as JSON, with the ledger's record of each drop in it.

    Example: ./vigil dlq show 8bba0e49
    """
    cloud = reached(stage, data)
    chosen = _chosen(cloud, letter)
    let_go(cloud, chosen)
    found = chosen[0]
    told = {
        "letter": found.id,
        "lane": found.lane,
        "sent": found.sent.isoformat(),
        "redrives": found.redrives,
        "suspected": asdict(found.suspicion) if found.suspicion else None,
        "body": found.body,
        "drops": [cloud.records.drop(drop.id) for drop in found.drops],
    }
    print(json.dumps(told, indent=2, default=str))


@app.command()
def redrive(
    letter: Annotated[str, typer.Argument(help="A letter, or `all`.")],
    why: Why = "sent back by hand",
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Send a letter back to its lane, or all of them.

    Example: ./vigil dlq redrive 8bba0e49 --why "the key's policy is mended"
    """
    cloud = reached(stage, data)
    done = _carry_out(ward(cloud), [Redrive(one, why) for one in _chosen(cloud, letter)])
    out.print(f"[green]sent back[/] {done.redriven}")


@app.command()
def quarantine(letter: Ident, why: Why, stage: Stage = "", data: Data = DATA) -> None:
    """End a letter's drops as quarantined, for a reason: they are never tried again.

    Example: ./vigil dlq quarantine 8bba0e49 --why "a test of the camera's maker"
    """
    cloud = reached(stage, data)
    tools, chosen = ward(cloud), _chosen(cloud, letter)
    records = tools.records.read({drop.id for one in chosen for drop in one.drops})
    deeds = [Quarantine(one, one.drops, _failed_in(one, records), "by-hand", why) for one in chosen]
    done = _carry_out(tools, deeds)
    out.print(f"[yellow]quarantined[/] {done.quarantined}")
    if done.waiting:
        fail(f"{done.waiting} stay: a worker took them up meanwhile; look again with `./vigil dlq list`")


def _failed_in(letter: Letter, records: Mapping[str, Record]) -> str:
    return fingerprint(records.get(letter.drops[0].id)).stage if letter.drops else ""


def _chosen(cloud: Deployment, which: str) -> list[Letter]:
    found = letters(cloud, "" if which == "all" else which, 1000)
    if not found:
        fail("there are no dead letters" if which == "all" else f"no dead letter begins with {which!r}")
    return found


def _carry_out(tools: Ward, decisions: Sequence[Decision]) -> Round:
    done = Round()
    for decision in decisions:
        done = act(decision, tools, f"by hand: {getpass.getuser()}", done)
    return done
