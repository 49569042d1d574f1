"""docs/rules.md has a valid example and names every key."""

import re
from pathlib import Path
from typing import get_type_hints

from msgspec.structs import fields

from vigil.alerts.rules import Condition, Hours, Options, Rule, RuleSet, Source, default_rules, parse_rules

PAGE = Path(__file__).resolve().parents[3].joinpath("docs", "rules.md").read_text()


def test_the_example_is_valid_and_uses_each_table():
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)

    rules = parse_rules(example)

    assert [rule.name for rule in rules.rules] == [
        "watch-listed",
        "stranger-in-restricted-area",
        "anybody-at-night",
    ]
    assert rules.source_settings("door-3").hours is not None


def test_every_key_is_on_the_page():
    keys = {one.name for table in (Source, Hours, Options, Rule) for one in fields(table)}
    keys |= {f"when.{one.name}" for one in fields(Condition)}

    assert {key for key in keys - {"when"} if f"`{key}`" not in PAGE} == set()


def test_the_default_rules_are_valid():
    assert default_rules().rules
    assert set(get_type_hints(RuleSet)) == {"sources", "rules"}
