"""Names of people beside their ids, for callers who may read them."""

from collections.abc import Iterable, Mapping

from functions.api.operation import Call
from functions.runtime.container import container
from vigil.people.consent import is_person_id


def find_names(call: Call, subjects: Iterable[str | None]) -> Mapping[str, str]:
    """Name by id of the people among the subjects whom the caller may read; one read for all."""
    ids = {one for one in subjects if one is not None and is_person_id(one)}
    if not ids or not call.caller.has_role("reviewer"):
        return {}
    people = container().profiles.find_all(sorted(ids))
    return {one.id: one.name for one in people if call.caller.can_access_gallery(one.gallery)}
