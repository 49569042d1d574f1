"""The OpenAPI document, and a reference page that shows it with Swagger UI."""

import json
from functools import cache
from importlib.resources import files

from functions.api.openapi import openapi_document
from functions.api.operation import JSON_TYPE, OPERATIONS, Call, FileResponse, operation

REFERENCE_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Vigil API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="reference/page.css">
<body><main id="reference"></main>
<script src="reference/page.js"></script>
<script src="reference/start.js"></script>
</html>
"""

REFERENCE_SCRIPT = (
    'SwaggerUIBundle({url: "openapi.json", dom_id: "#reference", deepLinking: true, docExpansion: "list"})\n'
)

REFERENCE_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
"""The page loads nothing from other origins and runs no inline script."""

SCRIPT_TYPE = "text/javascript; charset=utf-8"
STYLE_TYPE = "text/css; charset=utf-8"
ASSET_CACHE_HEADERS = {"Cache-Control": "public, max-age=86400"}


@operation("GET", "/v1/openapi.json", role=None, bound_tokens="allowed", documented=False)
def get_openapi(_: Call) -> FileResponse:
    return FileResponse(_document_json(), JSON_TYPE, {"Cache-Control": "public, max-age=300"})


@operation("GET", "/v1/reference", role=None, bound_tokens="allowed", documented=False)
def get_reference(_: Call) -> FileResponse:
    return FileResponse(REFERENCE_PAGE, "text/html; charset=utf-8", REFERENCE_PAGE_HEADERS)


@operation("GET", "/v1/reference/start.js", role=None, bound_tokens="allowed", documented=False)
def get_reference_start(_: Call) -> FileResponse:
    return FileResponse(REFERENCE_SCRIPT, SCRIPT_TYPE, ASSET_CACHE_HEADERS)


@operation("GET", "/v1/reference/page.js", role=None, bound_tokens="allowed", documented=False)
def get_reference_script(_: Call) -> FileResponse:
    return FileResponse(_swagger_asset("swagger-ui-bundle.min.js"), SCRIPT_TYPE, ASSET_CACHE_HEADERS)


@operation("GET", "/v1/reference/page.css", role=None, bound_tokens="allowed", documented=False)
def get_reference_style(_: Call) -> FileResponse:
    return FileResponse(_swagger_asset("swagger-ui.min.css"), STYLE_TYPE, ASSET_CACHE_HEADERS)


@cache
def _document_json() -> str:
    return json.dumps(openapi_document(OPERATIONS), separators=(",", ":"))


@cache
def _swagger_asset(name: str) -> str:
    """A file of Swagger UI, which Powertools ships."""
    return files("aws_lambda_powertools.event_handler.openapi.swagger_ui").joinpath(name).read_text("utf-8")
