"""The API described by itself: OpenAPI, and a page to read it on."""

import json
from collections.abc import Callable, Iterable
from functools import cache, partial
from importlib.resources import files

from functions.api.openapi import document
from functions.api.operation import JSON, Call, File, Operation

PAGE = """<!doctype html>
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

START = (
    'SwaggerUIBundle({url: "openapi.json", dom_id: "#reference", deepLinking: true, docExpansion: "list"})\n'
)

PAGE_POLICY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
"""Nothing from elsewhere, nothing inline."""

KEPT = {"Cache-Control": "public, max-age=86400"}


def operations(described: Iterable[Operation]) -> tuple[Operation, ...]:
    """What serves the description of these operations."""
    text = cache(partial(_text, tuple(described)))
    return (
        _public("/v1/openapi.json", "get-openapi", "This document", partial(_document, text)),
        _public("/v1/reference", "get-reference", "A page to read it on", _page),
        _public("/v1/reference/start.js", "get-reference-start", "What starts the page", _start),
        _public("/v1/reference/page.js", "get-reference-script", "The page's program", _script),
        _public("/v1/reference/page.css", "get-reference-style", "The page's looks", _style),
    )


def _public(path: str, name: str, summary: str, serve: object) -> Operation:
    return Operation("GET", path, name=name, summary=summary, serve=serve, role=None)  # type: ignore[arg-type]  # a partial, too


def _document(text: Callable[[], str], _: Call) -> File:
    return File(text(), JSON, {"Cache-Control": "public, max-age=300"})


def _text(described: tuple[Operation, ...]) -> str:
    return json.dumps(document(described), separators=(",", ":"))


def _page(_: Call) -> File:
    return File(PAGE, "text/html; charset=utf-8", PAGE_POLICY)


def _start(_: Call) -> File:
    return File(START, "text/javascript; charset=utf-8", KEPT)


def _script(_: Call) -> File:
    return File(_asset("swagger-ui-bundle.min.js"), "text/javascript; charset=utf-8", KEPT)


def _style(_: Call) -> File:
    return File(_asset("swagger-ui.min.css"), "text/css; charset=utf-8", KEPT)


@cache
def _asset(name: str) -> str:
    """Swagger UI, as Powertools brings it."""
    return files("aws_lambda_powertools.event_handler.openapi.swagger_ui").joinpath(name).read_text("utf-8")
