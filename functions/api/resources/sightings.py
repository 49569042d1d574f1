"""Lists of sightings, and search for similar unknown faces."""

import base64
from collections.abc import Callable
from typing import Any

from functions.api.media import IMAGE_BODY_TYPES, read_image
from functions.api.operation import Call, operation
from functions.api.pagination import ListedRow, collect_page, is_before, read_page, row_filter, start_position
from functions.api.problems import CapacityExceeded
from functions.api.resources.drops import to_sightings
from functions.api.resources.predict import invoke_predict
from functions.api.resources.thumbnails import thumbnail_url
from functions.api.schemas.drops import (
    FaceSearchRequest,
    SearchHitList,
    SearchHitOut,
    SightingList,
    SightingsQuery,
)
from functions.runtime.container import container

DEFAULT_SEARCH_DAYS = 7
"""Days that a search with an image body covers."""


@operation(
    "GET",
    "/v1/sightings",
    role="viewer",
    bound_tokens="limited",
    audited=True,
    example={"status": "unknown", "limit": 10},
)
def list_sightings(call: Call, query: SightingsQuery) -> SightingList:
    """List sightings, newest first.

    With `person`, all sightings of that person are listed; otherwise those of the last day, unless `since` is
    given.
    """
    matches, reader = _query_filter(query), container().drop_reader
    if query.person:
        position = start_position(call, query, "sightings")
        sightings = reader.sightings_of_subject(query.person, before=position)
        page = collect_page(call, query, "sightings", sightings, matches)
    else:
        list_rows = reader.list_sightings
        page = read_page(call, query, "sightings", matches, list_rows=list_rows, since=query.since)
    return SightingList(items=to_sightings(page.rows, call), next=page.next)


@operation(
    "POST",
    "/v1/sightings/search",
    role="reviewer",
    bound_tokens="limited",
    body_types=IMAGE_BODY_TYPES,
    audited=True,
    problems=(CapacityExceeded,),
)
def search_sightings(call: Call, photo: FaceSearchRequest | None = None) -> SearchHitList:
    """Search unknown faces that are similar to a face.

    Only sources with `store_unknown_faces = true` in the rules store unknown faces. The newest ones are
    compared first, while there is time: `searched_since` says how far the search came.
    """
    data = read_image(call, photo.image if photo else None)
    days = photo.days if photo else DEFAULT_SEARCH_DAYS
    response = invoke_predict(
        {"model": "faces", "data": base64.b64encode(data).decode(), "search": {"days": days}}
    )
    visible = (one for one in response["hits"] if call.caller.can_access_source(one["source"]))
    items = tuple(_to_search_hit(one, call) for one in visible)
    return SearchHitList(items=items, searched_since=response["searched_since"])


def _to_search_hit(hit: dict[str, Any], call: Call) -> SearchHitOut:
    number = int(hit["sighting"].rpartition("-")[2])
    return SearchHitOut(**hit, thumbnail_url=thumbnail_url(call, hit["drop"], number))


def _query_filter(query: SightingsQuery) -> Callable[[ListedRow], bool]:
    matches = row_filter(query, "source", "status")
    return lambda row: matches(row) and not (query.since and is_before(row, query.since))
