"""People, drops, alerts and releases by what the tables show of them: a name, or the beginning of an id."""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

from vigil.people.consent import is_person_id
from vigil.people.person import name_identity
from vigil_cli.console import days_ago, fail
from vigil_client import Vigil

DROP_ID_LENGTH = 32
SEARCHED_DAYS = 90
"""The age of the drops and alerts that are found by the beginning of their id."""

MAX_LISTED = 8
"""Matches that an error message names."""


def find_person(api: Vigil, text: str) -> str:
    """The id of the only person with this id, beginning of an id, or name; else the command ends."""
    if is_person_id(text):
        return text
    people = list(api.list_people())
    named = [one for one in people if name_identity(one["name"]) == name_identity(text)]
    found = named or [one for one in people if text.startswith("p-") and one["id"].startswith(text)]
    if not found:
        names = [one["name"] for one in people]
        parts = [one for one in names if name_identity(text) in name_identity(one)]
        close = parts[:3] or get_close_matches(text, names, 3)
        hint = f"did you mean {' or '.join(close)}?" if close else "see `./vigil people list`"
        fail(f"no person has the name or id {text}: {hint}")
    return _only(text, [(one["id"], f"{one['name']} in {one['gallery']}") for one in found])


def find_alert(api: Vigil, text: str) -> str:
    """The id of the alert whose id begins so; else the command ends."""
    if len(text) == DROP_ID_LENGTH:
        return text
    _check_beginning(text)
    alerts = islice(api.list_alerts(id_prefix=text, since=days_ago(SEARCHED_DAYS)), MAX_LISTED)
    return _only(text, [(one["id"], f"{one['rule']} at {one['source']}") for one in alerts])


def find_drop(api: Vigil, text: str) -> str:
    """The id of the drop whose id, or the id of one of its sightings, begins so."""
    beginning = text.partition("-")[0]
    if len(beginning) == DROP_ID_LENGTH:
        return beginning
    _check_beginning(beginning)
    drops = islice(api.list_drops(id_prefix=beginning, since=days_ago(SEARCHED_DAYS)), MAX_LISTED)
    return _only(text, [(one["id"], f"{one['state']} at {one['source']}") for one in drops])


def find_release(api: Vigil, model: str, text: str) -> str:
    """The id of the model's release that begins so; else the command ends."""
    details = api.get_model(model)
    ids = {details["active"], *(one["id"] for one in details.get("releases", ()))}
    return _only(text, [(one, model) for one in sorted(ids) if one.startswith(text)])


def _check_beginning(text: str) -> None:
    if len(text) < 4 or set(text) - set("0123456789abcdef"):
        fail(f"{text} is no id: give at least 4 of its digits 0-9 and a-f")


def _only(text: str, found: Iterable[tuple[str, str]]) -> str:
    """The id of the only match. `found` are ids with a description."""
    matches = list(found)
    if not matches:
        fail(f"nothing has an id that begins with {text}; the lists show the ids")
    if len(matches) > 1:
        listed = "; ".join(f"{ident} ({what})" for ident, what in matches[:MAX_LISTED])
        fail(f"{text} is not unique: {listed}. Give a longer beginning of the id")
    return matches[0][0]
