"""The row kinds of schema.py and their page docs/data-model.md."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from cloud.dynamodb.schema import (
    DROP,
    KEY_ATTRIBUTES,
    ROW_KINDS,
    SIGHTING,
    SUPPRESSION,
    TTL_ATTRIBUTES,
    RowKind,
)
from tests.fakes.memory import NOON
from vigil.alerts.reviews import SUPPRESSION_PERIOD

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "data-model.md").read_text()
LINES = dict(re.findall(r"^\| ([A-Z_]+) \| (.+) \|$", PAGE, re.MULTILINE))


def test_the_page_describes_exactly_the_row_kinds_of_the_schema():
    assert LINES.keys() == ROW_KINDS.keys()


@pytest.mark.parametrize("name", ROW_KINDS)
def test_the_page_states_the_keys_attributes_and_time_to_live_of_a_row_kind(name: str):
    kind, cells = ROW_KINDS[name], LINES[name].split(" | ")

    stated = set(re.findall(r"`([^`]+)`", cells[2]))
    assert [f"`{key}`" in cell for key, cell in zip(kind.keys, cells, strict=False)] == [True] * len(
        kind.keys
    )
    assert set(kind.attributes.split()) - stated == set()
    assert cells[3] == _lifetime(kind)


@pytest.mark.parametrize("name", ROW_KINDS)
def test_a_row_has_a_ttl_attribute_exactly_if_it_has_a_time_to_live(name: str):
    kind = ROW_KINDS[name]

    assert (TTL_ATTRIBUTES.get(kind.table) in kind.attributes.split()) is (kind.ttl is not None)
    assert len(kind.keys) == len(KEY_ATTRIBUTES[kind.table]) or kind.table == "callers"


def test_a_key_is_formatted_from_its_parts():
    assert SIGHTING.key(drop="d1", number=7) == {"pk": {"S": "drop#d1"}, "sk": {"S": "sighting#007"}}


def test_a_row_without_a_fixed_time_to_live_has_no_end_to_compute():
    with pytest.raises(TypeError, match="no fixed time to live"):
        DROP.expires(NOON)


def test_a_suppression_is_stored_for_as_long_as_it_holds():
    assert SUPPRESSION.ttl == SUPPRESSION_PERIOD


def _lifetime(kind: RowKind) -> str:
    if not isinstance(kind.ttl, timedelta):
        return kind.ttl or "none"
    for seconds, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        number, rest = divmod(kind.ttl.total_seconds(), seconds)
        if number and not rest and (unit != "day" or kind.ttl != timedelta(hours=12)):
            return f"{number:g} {unit}{'s' if number > 1 else ''}"
    raise AssertionError(kind.ttl)
