"""EventBridge's patterns."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local import patterns
from infra.local.errors import BadTemplate, CannotImitate

_EVENT = {
    "source": "shop",
    "detail": {"state": "done", "size": 5, "tags": ["new", "hot"], "none": None, "flag": True, "text": "7.5"},
}


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ({"source": ["shop", "other"]}, True),
        ({"source": ["other"]}, False),
        ({"missing": ["x"]}, False),
        ({"source": ["shop"], "detail": {"state": ["open"]}}, False),
        ({"detail": {"state": [{"prefix": "do"}]}}, True),
        ({"detail": {"state": [{"suffix": "ne"}]}}, True),
        ({"detail": {"state": [{"prefix": {"equals-ignore-case": "DO"}}]}}, True),
        ({"detail": {"state": [{"equals-ignore-case": "DONE"}]}}, True),
        ({"detail": {"state": [{"wildcard": "d*e"}]}}, True),
        ({"detail": {"state": [{"wildcard": "d*x"}]}}, False),
        ({"detail": {"state": [{"anything-but": ["open", "lost"]}]}}, True),
        ({"detail": {"state": [{"anything-but": "done"}]}}, False),
        ({"detail": {"state": [{"anything-but": {"prefix": "do"}}]}}, False),
        ({"detail": {"nowhere": [{"anything-but": "done"}]}}, False),
        ({"detail": {"size": [{"numeric": [">", 3, "<=", 5]}]}}, True),
        ({"detail": {"size": [{"numeric": ["<", 5]}]}}, False),
        ({"detail": {"text": [{"numeric": ["=", 7.5]}]}}, True),
        ({"detail": {"tags": ["hot"]}}, True),
        ({"detail": {"tags": ["cold"]}}, False),
        ({"detail": {"none": [None]}}, True),
        ({"detail": {"flag": [True]}}, True),
        ({"detail": {"flag": [1]}}, False),
        ({"detail": {"state": [{"exists": True}]}}, True),
        ({"detail": {"nowhere": [{"exists": False}]}}, True),
        ({"detail": {"nowhere": {"deeper": [{"exists": False}]}}}, True),
        ({"$or": [{"source": ["x"]}, {"detail": {"size": [5]}}]}, True),
        ({"$or": [{"source": ["x"]}, {"detail": {"size": [6]}}]}, False),
    ],
)
def test_a_pattern_picks_out_events(pattern: dict[str, Any], matched: bool):
    patterns.check(pattern, "rule")

    assert patterns.matches(pattern, _EVENT) is matched


def test_an_operator_that_is_not_known_is_refused_by_name():
    with pytest.raises(CannotImitate, match="cidr"):
        patterns.check({"ip": [{"cidr": "10.0.0.0/24"}]}, "rule")


def test_a_value_outside_a_list_is_a_bad_pattern():
    with pytest.raises(BadTemplate, match="must be a list"):
        patterns.check({"source": "shop"}, "rule")
