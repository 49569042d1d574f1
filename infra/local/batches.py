"""A function's answer to a batch → which of its records failed, by Lambda's rules for partial responses."""

from __future__ import annotations

from collections.abc import Collection

from infra.local.answers import Answer


def failures(answer: Answer, ids: Collection[str], *, partial: bool) -> set[str]:
    """The ids that did not succeed.

    Without partial responses, and for every malformed one (no list, an entry without identifier, an
    identifier that was not in the batch), an answer speaks for the whole batch.
    """
    if answer.error is not None:
        return set(ids)
    if not partial:
        return set()
    named = _named(answer)
    if named is None or not named <= set(ids):
        return set(ids)
    return named


def _named(answer: Answer) -> set[str] | None:
    """The identifiers in a response; None if it is malformed."""
    response = answer.json
    if response is None:
        return set() if answer.payload.strip() in (b"", b"null") else None
    listed = response.get("batchItemFailures") if isinstance(response, dict) else response
    if listed is None:
        return set()
    if not isinstance(listed, list):
        return None
    identifiers = [entry.get("itemIdentifier") if isinstance(entry, dict) else None for entry in listed]
    named = {one for one in identifiers if isinstance(one, str) and one}
    return named if len(named) == len(set(map(str, identifiers))) else None
