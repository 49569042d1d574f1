"""Every string that is not ours is data: printed verbatim, with control characters made visible."""

import io
import json

import click
import pytest

from vigil_cli.console import DataConsole, coloured, fail, new_table, plain, print_json, styled, visible

NAMES = [
    "[bold]Ann[/]",
    "[/]",
    "[red",
    "[link=https://example.test]Bob[/link]",
    ":smile:",
    "C:\\[x]\\",
    "a\\",
]


def printed(*things: object) -> str:
    stream = io.StringIO()
    DataConsole(file=stream, width=100).print(*things)
    return stream.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_markup_in_data_is_printed_verbatim_wherever_it_is_printed(name: str):
    table = new_table(name, "name", "state")
    table.add_row(name, coloured(name, "done"))

    assert printed(name).strip() == name
    assert printed(styled("[green]enrolled[/] {} as {}", name, "p-1")).strip() == f"enrolled {name} as p-1"
    assert printed(table).count(name) == 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\x07b\x9bc", r"a\x07b\x9bc"),
        ("a\u202eb", r"a\u202eb"),
        ("a\nb\rc", r"a\nb\rc"),
        ("caf\udce9.jpg", r"caf\xe9.jpg"),
        ("Zoë 山田 👩", "Zoë 山田 👩"),
    ],
)
def test_control_characters_and_foreign_bytes_are_made_visible(text: str, shown: str):
    table = new_table("", "name")
    table.add_row(text)

    assert visible(text) == shown
    for output in (
        printed(plain(text)),
        printed(styled("{}", text)),
        printed(coloured(text)),
        printed(table),
    ):
        assert shown in output


def test_a_string_that_is_printed_keeps_its_line_breaks_only():
    assert printed("one\ntwo\x1b[2J") == "one\ntwo\\x1b[2J\n"


def test_an_error_shows_data_verbatim(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(click.exceptions.Exit):
        fail("no such person: [bold]\x1b[31m")

    assert "[bold]\\x1b[31m" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["caf\udce9.jpg", "a\x7fb\x9bc\u202ed", "Zoë"])
def test_json_with_any_text_is_one_line_that_reads_back(text: str, capsys: pytest.CaptureFixture[str]):
    print_json([{"photo": text}])

    line = capsys.readouterr().out
    assert json.loads(line) == {"photo": text}
    assert line.encode().decode() == line
    assert not any(character in line for character in "\x7f\x9b\u202e")


def test_our_own_styles_stay():
    text = styled("[green]ok[/] {}", "[x]")

    assert str(text.get_style_at_offset(DataConsole(), 0)) == "green"
    assert str(text.get_style_at_offset(DataConsole(), 4)) == "none"
