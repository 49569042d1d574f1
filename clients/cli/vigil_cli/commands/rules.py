"""`vigil watch [FILE]`: the watch file in force, shown or replaced."""

from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import ClientError

from cloud.errors import error_code
from cloud.s3.objects import RULES_KEY
from vigil.alerts import rules
from vigil_cli.console import fail, out
from vigil_cli.deployment import DataOption, StageOption, connect
from vigil_cli.paths import DATA


def watch(
    file: Annotated[Path | None, typer.Argument(help="A watch file to put in force.", exists=True)] = None,
    stage: StageOption = "",
    data: DataOption = DATA,
) -> None:
    """Show the watch file in force (sources, hours, rules), or put another in force after checking it.

    Example: ./vigil watch rules.toml
    """
    cloud = connect(stage, data)
    s3, bucket = cloud.client("s3"), cloud.outputs["StoreBucket"]
    if file is None:
        try:
            toml = s3.get_object(Bucket=bucket, Key=RULES_KEY)["Body"].read().decode()
        except ClientError as error:
            if error_code(error) != "NoSuchKey":
                raise
            toml = rules.DEFAULT_RULES.read_text()
        print(toml, end="")
        return
    try:
        parsed = rules.parse_rules(file.read_text())
    except rules.InvalidRules as error:
        fail(f"{file}: {error}")
    s3.put_object(Bucket=bucket, Key=RULES_KEY, Body=file.read_bytes())
    out.print(f"[green]in force[/] within seconds: {len(parsed.sources)} sources, {len(parsed.rules)} rules")
