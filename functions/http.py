"""The API's own entry point on Lambda: its routes, and none of what the other triggers load."""

import json
from collections.abc import Callable
from typing import Any

from chalice import Chalice, Response

from functions.api import routes
from functions.api.problems import as_problem
from functions.bounded import begin
from functions.settings import settings

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer that does not say otherwise itself."""

app = Chalice(app_name="vigil")
app.api.binary_types.extend(routes.MEDIA_TYPES)
app.register_blueprint(routes.trigger)


@app.middleware("http")
def safe(event: Any, get_response: Callable[[Any], Response]) -> Response:
    """Chalice's own errors as problems; security headers; other origins only where one is configured."""
    begin(event.lambda_context)
    response = get_response(event)
    if response.status_code >= 400 and isinstance(response.body, dict):
        kept = {name: text for name, text in response.headers.items() if name == "Allow"}
        response = as_problem(response.status_code, response.body).response()
        response.headers |= kept
    given = {name.lower() for name in response.headers}
    response.headers |= {name: text for name, text in HEADERS.items() if name.lower() not in given}
    origin = settings().cors_origin
    if origin and event.headers.get("origin") == origin:
        response.headers |= {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
    if not isinstance(response.body, str | bytes):
        response.body = json.dumps(response.body)
    return response
