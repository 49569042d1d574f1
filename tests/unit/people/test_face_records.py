"""The id of a face contains where it is stored."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.people.face_records import FaceKey, parse_face_id

PEOPLE = st.from_regex(r"p-[0-9a-f]{12}", fullmatch=True)


@given(PEOPLE, st.integers(0, 2**32 - 1), st.integers(0, 99))
def test_an_id_is_a_uuid_from_which_the_key_is_read(person: str, version: int, number: int):
    key = FaceKey(person, version, number)

    assert str(uuid.UUID(key.face_id)) == key.face_id
    assert parse_face_id(key.face_id) == key


@pytest.mark.parametrize("text", ["", "x", str(uuid.UUID(int=0)), str(uuid.UUID(int=2**128 - 1))])
def test_an_id_of_no_face_has_no_key(text: str):
    assert parse_face_id(text) is None
