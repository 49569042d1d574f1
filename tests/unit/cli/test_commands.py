"""The tree of commands: each has help with an example, and none imports more than it uses."""

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from vigil import __version__
from vigil_cli.__main__ import COMMANDS, GROUPS, app
from vigil_cli.commands.local import running_text, sign_in_link

ROOT = Path(__file__).resolve().parents[3]
HEAVY = {"pydantic", "boto3", "botocore", "numpy", "onnxruntime", "moto", "PIL", "cryptography", "jwt"}


@pytest.mark.parametrize("words", COMMANDS)
def test_the_help_of_every_command_has_an_example_that_the_command_accepts(words: str):
    result = CliRunner().invoke(app, [*words.split(), "--help"])

    (example,) = re.findall(r"^ *Example: (.*(?:\n  \S.*)*)$", result.stdout, re.MULTILINE)
    arguments = shlex.split(example.split("./vigil ")[1].split(")")[0])
    named = " ".join(arguments)
    aliases = {one for one, location in COMMANDS.items() if location == COMMANDS[words]}
    assert result.exit_code == 0
    assert any(named.startswith(alias) for alias in aliases)
    assert CliRunner().invoke(app, [*arguments, "--help"]).exit_code == 0


@pytest.mark.parametrize("group", GROUPS)
def test_the_help_of_a_group_lists_its_commands_with_a_sentence_each(group: str):
    result = CliRunner().invoke(app, [*group.split(), "--help"])

    inside = [words for words in COMMANDS if words.startswith(f"{group} " if group else "")]
    names = {words.removeprefix(group).split()[0] for words in inside}
    listed = dict(re.findall(r"^  ([a-z-]+)  +(\S.*)$", result.stdout.split("Commands:")[1], re.MULTILINE))
    assert set(listed) == names


def test_a_mistyped_command_is_rejected_with_a_suggestion():
    result = CliRunner().invoke(app, ["stauts"])

    assert result.exit_code == 2
    assert "status" in result.stderr


def test_the_version_is_that_of_the_project():
    assert CliRunner().invoke(app, ["--version"]).stdout == f"vigil {__version__}\n"


def test_without_a_cloud_the_error_names_the_command_that_starts_one(tmp_path: Path):
    result = CliRunner().invoke(app, ["alerts", "--data", str(tmp_path)])

    assert result.exit_code == 2
    assert "./vigil up" in result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["ops", "--help"]])
def test_help_imports_neither_rich_nor_an_http_client(arguments: list[str]):
    program = f"from vigil_cli.__main__ import app; app({arguments!r}, standalone_mode=False)"

    assert not _imported(program) & (HEAVY | {"rich", "urllib3"})


def test_no_module_of_commands_imports_a_heavy_library_before_a_command_runs():
    modules = {location.partition(":")[0] for location in COMMANDS.values()}
    program = "; ".join(f"import vigil_cli.commands.{module}" for module in sorted(modules))

    assert not _imported(program) & HEAVY


def _imported(program: str) -> set[str]:
    """Top-level packages in memory after a program."""
    report = "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    arguments = [sys.executable, "-c", f"import sys\n{program}\n{report}"]
    path = ":".join(str(ROOT / part) for part in ("layers", ".", "clients/python", "clients/cli"))
    finished = subprocess.run(arguments, check=True, capture_output=True, text=True, env={"PYTHONPATH": path})
    return set(finished.stderr.split())


def test_what_up_prints_can_be_pasted_and_names_the_reference_page(tmp_path: Path):
    data = tmp_path / "my data"
    printed = io.StringIO()

    link = sign_in_link({"EndpointURL": "http://127.0.0.1:8480/api"}, "a.b.c")
    text = running_text("http://127.0.0.1:8480/api", data, link)
    Console(width=60, file=printed).print(text, soft_wrap=True)

    lines = printed.getvalue()
    assert "http://127.0.0.1:8480/#token=a.b.c\n" in lines
    assert "export VIGIL_URL=http://127.0.0.1:8480/api\n" in lines
    assert "http://127.0.0.1:8480/api/v1/reference" in lines
    assert f"./vigil token --role admin --data '{data}'" in lines
