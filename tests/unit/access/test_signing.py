"""Signed values are verified; roles and source patterns limit callers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.access.roles import Caller
from vigil.access.signing import InvalidSignature, sign_value, verify_value

KEY = bytes(range(32))
VALUES = st.recursive(
    st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(VALUES)
def test_a_signed_value_is_verified(value: object):
    assert verify_value(sign_value(value, purpose="list", key=KEY), purpose="list", key=KEY) == value


@given(st.text(max_size=60))
def test_a_text_that_was_not_signed_is_refused(text: str):
    with pytest.raises(InvalidSignature):
        verify_value(text, purpose="list", key=KEY)


@given(st.integers(0, 200))
def test_a_changed_character_is_detected(place: int):
    text = sign_value({"at": "2026-03-02", "n": 7}, purpose="list", key=KEY)
    place %= len(text) - 1
    other = "A" if text[place] != "A" else "B"

    with pytest.raises(InvalidSignature):
        verify_value(text[:place] + other + text[place + 1 :], purpose="list", key=KEY)


@pytest.mark.parametrize(("purpose", "key"), [("other", KEY), ("list", bytes(32))])
def test_a_signature_is_valid_only_for_its_purpose_and_key(purpose: str, key: bytes):
    with pytest.raises(InvalidSignature):
        verify_value(sign_value(1, purpose="list", key=KEY), purpose=purpose, key=key)


@pytest.mark.parametrize(
    ("held", "asked", "may"),
    [
        ("viewer", "viewer", True),
        ("viewer", "reviewer", False),
        ("admin", "operator", True),
        ("operator", "admin", False),
    ],
)
def test_a_role_has_the_permissions_of_lower_roles(held: str, asked: str, may: bool):
    assert Caller("x", held).has_role(asked) is may  # type: ignore[arg-type]


def test_a_caller_can_access_the_sources_of_its_patterns_and_by_default_none():
    assert Caller("x", "viewer", sources=None).can_access_source("vault-1")
    assert Caller("x", "viewer", ("door-*",)).can_access_source("door-3")
    assert not Caller("x", "viewer", ("door-*",)).can_access_source("vault-1")
    assert not Caller("x", "viewer").can_access_source("vault-1")
