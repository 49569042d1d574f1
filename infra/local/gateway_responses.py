"""What API Gateway says by itself, in the words that an API's definition gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.local.proxy_events import Reply

Own = Mapping[str, Any]
"""`x-amazon-apigateway-gateway-responses`: by kind, or DEFAULT_4XX and DEFAULT_5XX."""

_HEADER = "gatewayresponse.header."


def worded(reply: Reply, own: Own) -> Reply:
    """The gateway's own answer as the API wants it; a function's answer is left as it is."""
    family = "DEFAULT_5XX" if reply.status >= 500 else "DEFAULT_4XX"
    wanted = own.get(reply.kind, own.get(family)) if reply.kind else None
    if wanted is None:
        return reply
    headers = {
        name.removeprefix(_HEADER): text.strip("'")
        for name, text in wanted.get("responseParameters", {}).items()
    }
    body = wanted.get("responseTemplates", {}).get("application/json")
    status = int(wanted.get("statusCode", reply.status))
    kept = dict(reply.headers) | headers
    return Reply(status, reply.body if body is None else body.encode(), tuple(kept.items()), reply.kind)
