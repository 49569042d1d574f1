"""`vigil up`, `vigil token`, `vigil logs`: the local cloud, tokens for its API, and the logs of functions."""

import shlex
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from rich.text import Text

from vigil.access.roles import Role
from vigil_cli.command_line import Argument, DataOption, Option
from vigil_cli.console import ProgressSteps, err, fail, out, print_json
from vigil_cli.paths import DATA, PACKAGE
from vigil_cli.session import NO_LOCAL_CLOUD, Session
from vigil_cli.signals import stopped_by_signal

SIGN_IN_S = 12 * 3600.0
"""Validity of the link that `up` prints."""


def up(
    processes: Annotated[int, Option(help="Worker processes at most.", min=1)] = 4,
    port: Annotated[
        int | None, Option(help="Port of the API.", default="that of the last start", min=1, max=65535)
    ] = None,
    data: DataOption = DATA,
) -> None:
    """Run the packaged system on this machine until Ctrl-C; its state is loaded again at the next start.

    Its addresses and the key that signs its tokens stay the same as well, unless another program has taken
    a port.

    Example: ./vigil up --port 8480
    """
    from infra.local.cloud import Cloud
    from infra.local.errors import StartupFailed
    from infra.package import package

    with ProgressSteps() as steps:
        steps.begin("building the models")
        _build_models(steps)
        steps.begin("packaging")
        package("local", on_progress=steps.detail)
    cloud = Cloud(
        package=PACKAGE,
        data=data,
        state_file=data / "state.sqlite",
        max_workers=processes,
        port=port,
        parameters={"TrainerImage": "on-this-machine"},
        on_progress=err.print,
    )
    try:
        with cloud:
            link = sign_in_link(cloud.outputs, cloud.issue_token("admin", lifetime_s=SIGN_IN_S))
            out.print(running_text(str(cloud.outputs["EndpointURL"]), data, link), soft_wrap=True)
            stopped_by_signal().wait()
            err.print("stopping …")
    except StartupFailed as error:
        fail(str(error))


def _build_models(steps: ProgressSteps) -> None:
    """Build every model whose card or network has changed; a wrong card ends the command."""
    from models.build.build import build_all
    from models.build.files import BuildFailure
    from vigil.toml_file import InvalidToml

    try:
        build_all(lambda name, step: steps.detail(f"{name}: {step}"))
    except (BuildFailure, InvalidToml) as failure:
        fail(str(failure))


def sign_in_link(outputs: Mapping[str, Any], token: str) -> str:
    """The address of the console; the part after `#` is not sent to any server."""
    address = urlsplit(str(outputs["EndpointURL"]))
    return f"{address.scheme}://{address.netloc}/#token={token}"


def running_text(url: str, data: Path, link: str) -> Text:
    """What a user needs to begin: addresses, a token, and the first commands; each on a line to paste."""
    option = "" if data == DATA else f" --data {shlex.quote(str(data))}"
    lines = {
        "console": link,
        "API": f"export VIGIL_URL={url}",
        "token": f'export VIGIL_TOKEN="$(./vigil token --role admin{option})"',
        "reference page": f"{url}/v1/reference",
        "other terminals": f"./vigil drop PHOTO{option}",
        "": f"./vigil status{option}",
        "all addresses": str(data / "cloud.json"),
    }
    text = Text("Vigil is running; Ctrl-C stops it, and its data stays\n", style="bold")
    for name, value in lines.items():
        text.append(f"\n{name:17}", style="not bold dim").append(value, style="not bold")
    return text


def token(
    role: Annotated[Role, Option(help="Each role includes those before it.")] = "viewer",
    source: Annotated[
        list[str] | None, Option(help="Restrict the token to a source, or to door-*; repeatable.")
    ] = None,
    gallery: Annotated[
        list[str] | None, Option(help="Restrict the token to a gallery, or to staff-*; repeatable.")
    ] = None,
    subject: Annotated[str, Option(help="Caller's id in the audit log; default local-ROLE.")] = "",
    hours: Annotated[float, Option(help="Lifetime of the token.", min=0.001)] = 8.0,
    link: Annotated[bool, Option(help="Print the address that signs in to the console.")] = False,
    data: DataOption = DATA,
) -> None:
    """Print a token for the local cloud's API; on AWS your identity provider issues tokens.

    Example: curl -H "Authorization: Bearer $(./vigil token --role reviewer)" $VIGIL_URL/v1/alerts
    """
    from infra.local.discovery import find_running_cloud
    from infra.local.issuer import load_issuer

    cloud = find_running_cloud(data)
    if cloud is None:
        fail(NO_LOCAL_CLOUD)
    issued = load_issuer(data).issue_token(
        role,
        subject=subject or f"local-{role}",
        sources=source or None,
        galleries=gallery or None,
        lifetime_s=hours * 3600,
    )
    print(sign_in_link(cloud.outputs, issued) if link else issued)


def logs(
    session: Session,
    function: Annotated[str, Argument(help="Name of a function, or its last part: live.")] = "",
    request: Annotated[str, Option(help="Only the invocation with this request id.")] = "",
    limit: Annotated[
        int,
        Option(help="The newest lines at most.", min=1, flags=("--lines", "-n")),
    ] = 100,
    minutes: Annotated[int, Option(help="How far to go back, on AWS.", min=1)] = 60,
) -> None:
    """Print the newest lines that a function logged; on this machine, without a name, those of all functions.

    Example: ./vigil logs triage -n 20
    """
    if session.stage:
        if not function:
            fail("name a function: on AWS each has a log group of its own, such as live or triage")
        lines = {function: deque(_cloudwatch_lines(session, function, request, minutes), maxlen=limit)}
    else:
        lines = {
            file.stem: deque(_file_lines(file, request), maxlen=limit)
            for file in _log_files(session.data / "logs", function)
        }
    if session.as_json:
        print_json({"function": name, "line": line} for name, found in lines.items() for line in found)
        return
    for name, found in lines.items():
        if len(lines) > 1:
            out.rule(name, align="left")
        print("\n".join(found) if found else f"no lines of {name}")


def _cloudwatch_lines(session: Session, function: str, request: str, minutes: int) -> Iterator[str]:
    """Lines of a function's log group, oldest first."""
    from botocore.exceptions import ClientError

    prefix = f"vigil-{session.stage}-"
    group = f"/aws/lambda/{prefix}{function.removeprefix(prefix)}"
    since = int((datetime.now(UTC) - timedelta(minutes=minutes)).timestamp() * 1000)
    filters = {"filterPattern": f'"{request}"'} if request else {}
    pages = session.deployment().client("logs").get_paginator("filter_log_events")
    try:
        for page in pages.paginate(logGroupName=group, startTime=since, **filters):
            yield from (str(event["message"]).rstrip("\n") for event in page["events"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        fail(f"there is no log group {group}: check the name of the function and the stage")


def _file_lines(file: Path, request: str) -> Iterator[str]:
    return (line for line in file.read_text(errors="replace").splitlines() if request in line)


def _log_files(folder: Path, function: str) -> list[Path]:
    available = sorted(folder.glob("*.log"))
    matching = [
        file
        for file in available
        if not function or file.stem == function or file.stem.endswith(f"-{function}")
    ]
    if not matching:
        known = ", ".join(file.stem for file in available) or "none yet"
        fail(f"no log of a function named {function or 'anything'}; there are logs of: {known}")
    return matching
