"""The Chalice app of the API function; it loads only the routes of the API."""

import json
from collections.abc import Callable
from typing import Any

from chalice import Chalice, Response

from functions.api import routes
from functions.api.problems import problem_from_chalice
from functions.runtime.handler import start_deadline
from functions.runtime.settings import settings

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every response that does not set them itself."""

app = Chalice(app_name="vigil")
app.api.binary_types.extend(routes.BINARY_MEDIA_TYPES)
app.register_blueprint(routes.trigger)


@app.middleware("http")
def finish_response(event: Any, get_response: Callable[[Any], Response]) -> Response:
    """Convert Chalice's errors to problems, and add security and CORS headers."""
    start_deadline(event.lambda_context)
    response = get_response(event)
    if response.status_code >= 400 and isinstance(response.body, dict):
        allow_header = {name: text for name, text in response.headers.items() if name == "Allow"}
        response = problem_from_chalice(response.status_code, response.body).response()
        response.headers |= allow_header
    present = {name.lower() for name in response.headers}
    response.headers |= {name: text for name, text in SECURITY_HEADERS.items() if name.lower() not in present}
    origin = settings().cors_origin
    if origin and event.headers.get("origin") == origin:
        response.headers |= {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
    if not isinstance(response.body, str | bytes):
        response.body = json.dumps(response.body)
    return response
