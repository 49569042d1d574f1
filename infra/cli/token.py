"""`vigil token`: a bearer token for the local cloud's API."""

from typing import Annotated

import typer

from infra.cli.deployment import Data
from infra.cli.places import DATA
from infra.cli.saying import fail
from infra.local import issuer
from vigil.access.roles import ROLES


def token(
    role: Annotated[str, typer.Option(help="viewer, reviewer, operator or admin.")] = "viewer",
    source: Annotated[
        list[str] | None, typer.Option("--source", help="Only what comes from it, or from door-*; repeat it.")
    ] = None,
    subject: Annotated[str, typer.Option(help="Who it is; without one, named after the role.")] = "",
    hours: Annotated[float, typer.Option(help="How long it is good.", min=0.001)] = 8.0,
    data: Data = DATA,
) -> None:
    """Print a token that the local cloud's API takes; on AWS, your identity provider makes them.

    Example: curl -H "Authorization: Bearer $(./vigil token --role reviewer)" $VIGIL_URL/v1/alerts
    """
    if role not in ROLES:
        fail(f"there is no role {role!r}: it is {', '.join(ROLES)}")
    try:
        signer = issuer.saved(data)
    except FileNotFoundError:
        fail("no local cloud is up: start one with `./vigil up`")
    print(signer.token(role, subject=subject or f"local-{role}", sources=source or (), lasts_s=hours * 3600))
