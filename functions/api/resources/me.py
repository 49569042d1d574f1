"""What the caller may do, and whether there is something new to read; a console asks both."""

from typing import Annotated

from pydantic import Field

from functions.api.middleware import find_refusal
from functions.api.operation import OPERATIONS, Call, operation
from functions.api.pagination import ListRows, Row, read_page
from functions.api.schemas.fields import AlertId, ApiModel, PageQuery, SightingId
from functions.runtime.container import container
from vigil.access.roles import Role

NEWEST_ONLY = PageQuery(limit=1)


class CallerOut(ApiModel):
    """The caller and the operations that the token allows."""

    caller: Annotated[str, Field(description="Subject of the caller's token")]
    role: Annotated[Role, Field(description="Role of the token")]
    sources: Annotated[
        tuple[str, ...] | None, Field(description="Patterns of the sources of the token; absent: all sources")
    ] = None
    galleries: Annotated[
        tuple[str, ...] | None,
        Field(description="Patterns of the galleries; absent: all, or none if the token has sources"),
    ] = None
    operations: Annotated[
        tuple[str, ...], Field(description="Names of the allowed operations, as in the OpenAPI document")
    ]


class NewestOut(ApiModel):
    """Ids of the newest rows of the last day that the caller can access; absent without any."""

    sighting: SightingId | None = None
    alert: AlertId | None = None


@operation("GET", "/v1/me", role="viewer", bound_tokens="allowed")
def get_caller(call: Call) -> CallerOut:
    """Get the role of the caller and the allowed operations."""
    caller = call.caller
    allowed = (one.name for one in OPERATIONS if one.documented and not find_refusal(one, caller))
    return CallerOut(
        caller=caller.id,
        role=caller.role,
        sources=caller.sources,
        galleries=caller.galleries,
        operations=tuple(sorted(allowed)),
    )


@operation("GET", "/v1/newest", role="viewer", bound_tokens="limited")
def get_newest(call: Call) -> NewestOut:
    """Get the ids of the newest sighting and alert.

    Small reads without an audit entry: poll this each second, and list what is new when an id changes.
    """
    reader = container().drop_reader
    pending = container().executor.submit(_newest, call, "sightings", reader.list_sightings)
    alert = _newest(call, "alerts", reader.list_alerts)
    sighting = pending.result()
    return NewestOut(
        sighting=f"{sighting.drop_id}-{sighting.number}" if sighting else None,
        alert=alert.alert_id if alert else None,
    )


def _newest(call: Call, kind: str, list_rows: ListRows[Row]) -> Row | None:
    page = read_page(call, NEWEST_ONLY, kind, lambda _: True, list_rows=list_rows, since=None)
    return page.rows[0] if page.rows else None
