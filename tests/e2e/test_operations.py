"""The run-book does what it says: every command on docs/operations.md is run, here and as on AWS."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.cli.__main__ import app
from tests.e2e.conftest import PHOTOS, Site
from tests.e2e.test_cli_steady import _dead, _letter
from tests.e2e.test_steady import invoked
from vigil.drops import drop_id

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
FUNCTIONS = ("Triage", "Reconcile", "Balance", "Canary", "Retrain")
OURS = re.compile(r"^(\./vigil|make|git|aws|python|pip|curl) ")
MAY_BE_1 = {"status": "something needs a look", "reconcile": "announced again"}
"""Commands whose exit code tells how it is, and what they print when it is 1."""


def commands() -> list[str]:
    """Every command of the page, in its order: lines of shell blocks, and what stands between backticks."""
    found = []
    for block, inline in re.findall(r"```bash\n(.*?)```|(?<!`)`([^`\n]+)`(?!`)", PAGE, re.DOTALL):
        lines = block.splitlines() if block else [inline]
        found += [line.split(" #")[0].strip() for line in lines if OURS.match(line)]
    return list(dict.fromkeys(found))


VIGIL = [one for one in commands() if one.startswith("./vigil ") and one != "./vigil up"]
MAKE = [one for one in commands() if one.startswith("make ")]


@pytest.fixture(scope="module")
def worn(site: Site) -> Site:
    """A system that has run for a while: every function has written its log."""
    site.ended(site.put((PHOTOS / "biden.jpg").read_bytes()), _job(site, "Bulk"))
    for function in FUNCTIONS:
        invoked(site, function)
    site.running.quiet(timeout_s=60)
    return site


@pytest.fixture(scope="module")
def stage(worn: Site) -> Iterator[str]:
    """The same system as it would be on AWS: found by its stack, its logs in CloudWatch."""
    cloudformation, logs = worn.cloud.client("cloudformation"), worn.cloud.client("logs")
    outputs = {name: {"Value": str(told)} for name, told in worn.cloud.outputs.items()}
    template = {"Resources": {"Nothing": {"Type": "AWS::SNS::Topic"}}, "Outputs": outputs}
    cloudformation.create_stack(StackName="vigil-test", TemplateBody=json.dumps(template))
    for file in (worn.data / "logs").glob("*.log"):
        group = f"/aws/lambda/{file.stem}"
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName="one")
        event = {"timestamp": int(file.stat().st_mtime * 1000), "message": file.read_text().splitlines()[0]}
        logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=[event])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in worn.running.environment.items():
            patch.setenv(name, value)
        yield "test"


@pytest.fixture(autouse=True, scope="module")
def everything_goes_on(site: Site) -> Iterator[None]:
    """Whatever the page stopped or left behind does not outlive its tests."""
    yield
    for lane in ("live", "bulk"):
        CliRunner().invoke(app, ["resume", lane, "--data", str(site.data)])
    CliRunner().invoke(app, ["dlq", "redrive", "all", "--data", str(site.data)])


@pytest.mark.parametrize("command", VIGIL)
def test_a_command_works_here_as_it_stands(worn: Site, command: str):
    words = _words(worn, command)

    _works(CliRunner().invoke(app, [*words, "--data", str(worn.data)]), words)


@pytest.mark.parametrize("command", VIGIL)
def test_a_command_works_on_a_stage(worn: Site, stage: str, command: str):
    words = _words(worn, command)

    _works(CliRunner().invoke(app, [*words, "--stage", stage]), words)


@pytest.mark.parametrize("command", MAKE)
def test_what_make_is_asked_for_is_there(command: str):
    """What the goals do has tests of its own; here, that goal and words are what the Makefile knows."""
    asked = subprocess.run(
        [*shlex.split(command), "--dry-run"], cwd=ROOT, check=False, capture_output=True, text=True
    )

    assert asked.returncode == 0, asked.stderr
    for name in re.findall(r"\b([A-Z]+)=", command):
        assert f"$({name})" in (ROOT / "Makefile").read_text()


def test_a_release_is_checked_out_by_its_tag(tmp_path: Path):
    asked = [one for one in commands() if one.startswith("git ")]
    who = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org"}
    env = os.environ | who | {"GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org"}
    for line in (
        "git init -q",
        "git commit -q --allow-empty -m x",
        *(f"git tag {one.split()[-1]}" for one in asked),
    ):
        subprocess.run(shlex.split(line), cwd=tmp_path, check=True, env=env)

    for line in asked:
        subprocess.run(shlex.split(line), cwd=tmp_path, check=True, env=env, capture_output=True)


def test_no_command_of_the_page_is_left_unrun():
    run = {*VIGIL, *MAKE, *(one for one in commands() if one.startswith("git checkout "))}

    assert [one for one in commands() if one not in run] == ["./vigil up"]


def _words(site: Site, command: str) -> list[str]:
    """The command's words, with something real for each in capitals."""
    words = shlex.split(command)[1:]
    if "all" in words:
        _dead(site, f"page-{next(site.serial)}")
    return [_meant(site, word) for word in words]


def _meant(site: Site, word: str) -> str:
    if word == "LETTER":
        return _letter(site, _dead(site, f"page-{next(site.serial)}"))
    if word == "KEY":
        drop = site.put((PHOTOS / "biden.jpg").read_bytes(), source="page")
        (row,) = site.ended(drop)
        return str(row["origin"]["key"])
    assert not word.isupper(), f"nobody knows what {word} stands for"
    return word


def _works(result: Result, words: list[str]) -> None:
    if result.exit_code == 1 and words[0] in MAY_BE_1:
        assert MAY_BE_1[words[0]] in result.stdout
        return
    assert result.exit_code == 0, result.output
    assert result.stdout.strip()


def _job(site: Site, lane: str) -> str:
    """A job without a picture in a lane: it ends, and the lane's function has written its log."""
    name = f"page-{next(site.serial)}"
    body = json.dumps({"model": "faces", "source": "page", "id": name, "data": ""})
    site.cloud.client("sqs").send_message(QueueUrl=site.cloud.outputs[f"{lane}QueueUrl"], MessageBody=body)
    return drop_id("job", name, "faces")
