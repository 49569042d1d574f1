"""`vigil watch [FILE]`: the watch file in force, shown or replaced."""

from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import ClientError

from cloud.faults import code
from cloud.store import WATCH_KEY
from infra.cli.deployment import Data, Stage, reached
from infra.cli.places import DATA
from infra.cli.saying import fail, out
from vigil.watch import rules


def watch(
    file: Annotated[Path | None, typer.Argument(help="A watch file to put in force.", exists=True)] = None,
    stage: Stage = "",
    data: Data = DATA,
) -> None:
    """Show the watch file in force (sources, hours, rules), or put another in force after checking it.

    Example: ./vigil watch rules.toml
    """
    cloud = reached(stage, data)
    s3, bucket = cloud.client("s3"), cloud.outputs["StoreBucket"]
    if file is None:
        try:
            text = s3.get_object(Bucket=bucket, Key=WATCH_KEY)["Body"].read().decode()
        except ClientError as error:
            if code(error) != "NoSuchKey":
                raise
            text = rules.DEFAULT.read_text()
        print(text, end="")
        return
    try:
        parsed = rules.read_watch(file.read_text())
    except rules.BadWatchFile as error:
        fail(f"{file}: {error}")
    s3.put_object(Bucket=bucket, Key=WATCH_KEY, Body=file.read_bytes())
    out.print(f"[green]in force[/] within seconds: {len(parsed.sources)} sources, {len(parsed.rules)} rules")
