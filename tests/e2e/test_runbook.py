"""The run-book does what it says: every command on docs/operations.md is run, here and as on AWS."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.e2e.conftest import PHOTOS, RunningSystem
from tests.e2e.test_cli_operations import dead_letter_id, send_dead_letter
from tests.e2e.test_maintenance import invoke_function
from vigil.drops.messages import compute_drop_id
from vigil_cli.__main__ import app

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
FUNCTIONS = ("Triage", "Reconcile", "Balance", "Canary", "TrainingJobs", "AuditCheckpoint")
COMMAND_PATTERN = re.compile(r"^(\./vigil|make|git|aws|python|pip|curl) ")
EXIT_1_OUTPUT = {"status": "needs attention", "reconcile": "announced again"}
"""Commands whose exit code reports a state, and what they print when it is 1."""


def runbook_commands() -> list[str]:
    """Every command of the page, in its order: lines of shell blocks, and what stands between backticks."""
    found = []
    for block, inline in re.findall(r"```bash\n(.*?)```|(?<!`)`([^`\n]+)`(?!`)", PAGE, re.DOTALL):
        lines = block.splitlines() if block else [inline]
        found += [line.split(" #")[0].strip() for line in lines if COMMAND_PATTERN.match(line)]
    return list(dict.fromkeys(found))


VIGIL_COMMANDS = [one for one in runbook_commands() if one.startswith("./vigil ") and one != "./vigil up"]
MAKE_COMMANDS = [one for one in runbook_commands() if one.startswith("make ")]


@pytest.fixture(scope="module")
def used_system(site: RunningSystem) -> RunningSystem:
    """A system that has run for a while: every function has written its log."""
    photo, no_clip = (PHOTOS / "biden.jpg").read_bytes(), site.drop_bytes(b"no clip", model="clips")
    site.wait_until_completed(site.drop_bytes(photo), _send_job(site, "Bulk"), no_clip)
    for function in FUNCTIONS:
        invoke_function(site, function)
    CliRunner().invoke(app, ["status", "--data", str(site.data)])
    site.running.wait_until_idle(timeout_s=240)
    return site


@pytest.fixture(scope="module")
def stage(used_system: RunningSystem) -> Iterator[str]:
    """The same system as it would be on AWS: found by its stack, its logs in CloudWatch."""
    cloudformation, logs = used_system.cloud.client("cloudformation"), used_system.cloud.client("logs")
    outputs = {name: {"Value": str(output)} for name, output in used_system.cloud.outputs.items()}
    template = {"Resources": {"Nothing": {"Type": "AWS::SNS::Topic"}}, "Outputs": outputs}
    cloudformation.create_stack(StackName="vigil-test", TemplateBody=json.dumps(template))
    for file in (used_system.data / "logs").glob("*.log"):
        group = f"/aws/lambda/{file.stem}"
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName="one")
        event = {"timestamp": int(file.stat().st_mtime * 1000), "message": file.read_text().splitlines()[0]}
        logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=[event])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in used_system.running.environment.items():
            patch.setenv(name, value)
        patch.setenv("VIGIL_TOKEN", used_system.running.issue_token("admin"))
        yield "test"


@pytest.fixture(autouse=True, scope="module")
def resume_everything(site: RunningSystem) -> Iterator[None]:
    """Whatever the page stopped or left behind does not outlive its tests."""
    yield
    for lane in ("live", "bulk"):
        CliRunner().invoke(app, ["ops", "resume", lane, "--data", str(site.data)])
    CliRunner().invoke(app, ["ops", "dlq", "redrive", "all", "--data", str(site.data)])


@pytest.mark.parametrize("command", VIGIL_COMMANDS)
def test_a_command_works_on_the_local_cloud(used_system: RunningSystem, command: str):
    words = _arguments(used_system, command)

    _assert_success(CliRunner().invoke(app, [*words, "--data", str(used_system.data)]), words)


@pytest.mark.parametrize("command", VIGIL_COMMANDS)
def test_a_command_works_on_a_stage(used_system: RunningSystem, stage: str, command: str):
    words = _arguments(used_system, command)

    _assert_success(CliRunner().invoke(app, [*words, "--stage", stage]), words)


@pytest.mark.parametrize("command", MAKE_COMMANDS)
def test_a_make_target_of_the_runbook_exists(command: str):
    """What the goals do has tests of its own; here, that goal and words are what the Makefile knows."""
    asked = subprocess.run(
        [*shlex.split(command), "--dry-run"], cwd=ROOT, check=False, capture_output=True, text=True
    )

    assert asked.returncode == 0, asked.stderr
    for name in re.findall(r"\b([A-Z]+)=", command):
        assert f"$({name})" in (ROOT / "Makefile").read_text()


def test_a_release_is_checked_out_by_its_tag(tmp_path: Path):
    asked = [one for one in runbook_commands() if one.startswith("git ")]
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


def test_every_command_of_the_runbook_is_run():
    run = {
        *VIGIL_COMMANDS,
        *MAKE_COMMANDS,
        *(one for one in runbook_commands() if one.startswith("git checkout ")),
    }

    assert [one for one in runbook_commands() if one not in run] == ["./vigil up"]


def _arguments(site: RunningSystem, command: str) -> list[str]:
    """The command's words, with something real for each in capitals."""
    arguments = shlex.split(command)[1:]
    if "all" in arguments:
        send_dead_letter(site, f"page-{next(site.serial)}")
    return [_placeholder_value(site, argument) for argument in arguments]


def _placeholder_value(site: RunningSystem, word: str) -> str:
    if word == "MESSAGE":
        return dead_letter_id(site, send_dead_letter(site, f"page-{next(site.serial)}"))
    if word in ("KEY", "ID"):
        drop = site.drop_bytes((PHOTOS / "biden.jpg").read_bytes(), source="page")
        (row,) = site.wait_until_completed(drop)
        return str(row["s3_object"]["key"]) if word == "KEY" else drop
    assert not word.isupper(), f"nobody knows what {word} stands for"
    return word


def _assert_success(result: Result, arguments: list[str]) -> None:
    (expected,) = {EXIT_1_OUTPUT[word] for word in arguments[:2] if word in EXIT_1_OUTPUT} or {""}
    if result.exit_code == 1 and expected:
        assert expected in result.stdout
        return
    assert result.exit_code == 0, result.output
    assert result.stdout.strip()


def _send_job(site: RunningSystem, lane: str) -> str:
    """A job without a picture in a lane: it ends, and the lane's function has written its log."""
    name = f"page-{next(site.serial)}"
    body = json.dumps({"model": "faces", "source": "page", "id": name, "data": ""})
    site.cloud.client("sqs").send_message(QueueUrl=site.cloud.outputs[f"{lane}QueueUrl"], MessageBody=body)
    return compute_drop_id("job", name, "faces")
