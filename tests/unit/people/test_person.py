"""Names of people: one form, one identity for all spellings, nothing that nobody sees."""

import unicodedata

import pytest
from pydantic import ValidationError

from functions.api.schemas.drops import LabelRequest
from functions.api.schemas.people import NewName, NewPerson
from vigil.people.person import InvalidName, name_identity, parse_name

COMPOSED, DECOMPOSED = "Zo\u00eb", "Zoe\u0308"
INVISIBLE = [f"a{one}b" for one in "\n\t\x00\x1b\x7f\x85\u2028\u202e\u200b\ufeff"]


def test_a_name_is_stored_in_its_composed_form_without_spaces_around_it():
    assert parse_name(f"  {DECOMPOSED} ") == NewName(name=f" {DECOMPOSED}").name == COMPOSED


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (COMPOSED, DECOMPOSED),
        ("ada", "ADA"),
        ("Stra\u00dfe", "STRASSE"),
        ("\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3"),
        (unicodedata.normalize("NFD", "\u00c5sa").upper(), "\u00e5sa"),
        (" Ada", "Ada "),
    ],
)
def test_spellings_that_differ_in_case_or_form_are_one_name(one: str, other: str):
    assert name_identity(one) == name_identity(other)


def test_different_names_stay_different():
    assert len({name_identity(one) for one in ("Zoe", COMPOSED, "Ada", "Ad\u00e1")}) == 4


@pytest.mark.parametrize("name", ["", " ", "x" * 101])
def test_a_name_that_is_empty_or_too_long_is_refused(name: str):
    with pytest.raises(InvalidName):
        parse_name(name)


@pytest.mark.parametrize("text", [*INVISIBLE, "\ud800"])
def test_a_name_with_characters_that_nobody_sees_is_refused_by_core_and_api(text: str):
    with pytest.raises(InvalidName):
        parse_name(text)
    for schema in (NewName, NewPerson):
        with pytest.raises(ValidationError):
            schema.model_validate({"name": text})
    with pytest.raises(ValidationError):
        LabelRequest.model_validate({"label": text})


KANJI = "\u5c71\u7530\u3000\u592a\u90ce"
PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
TECHNOLOGIST = "\U0001f469\u200d\U0001f4bb"


@pytest.mark.parametrize("name", ["Ada Lovelace", KANJI, PERSIAN, "O'Neill [ops]", TECHNOLOGIST])
def test_names_of_every_script_are_accepted(name: str):
    assert parse_name(name) == NewPerson(name=name).name == unicodedata.normalize("NFC", name)
