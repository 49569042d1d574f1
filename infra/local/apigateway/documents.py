"""Documents that the gateway serves beside the APIs: the issuer's key set, and the files of the console."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CONSOLE_FOLDER = "console"
"""Of a package; absent from one that was built without npm."""

JSON_HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class StaticDocument:
    """A document and the headers with which it is served."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: dict(JSON_HEADERS))


def console_documents(package: Path, photos_origin: str) -> dict[str, StaticDocument]:
    """The files of the package's console by path, and the settings that tell it how users sign in."""
    folder = package / CONSOLE_FOLDER
    documents = {
        "/" + path.relative_to(folder).as_posix(): StaticDocument(
            path.read_bytes(), _headers(path.name, photos_origin)
        )
        for path in folder.rglob("*")
        if path.is_file()
    }
    if not documents:
        return {}
    settings = StaticDocument(json.dumps({"sign_in": "local"}).encode(), _headers("x.json", photos_origin))
    return {**documents, "/": documents["/index.html"], "/config.json": settings}


def _headers(name: str, photos_origin: str) -> dict[str, str]:
    """As CloudFront sends them: `ConsoleHeaders` in infra/template.yaml."""
    return {
        "Content-Type": mimetypes.guess_type(name)[0] or "application/octet-stream",
        "Content-Security-Policy": content_security_policy(photos_origin),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cache-Control": "no-cache",
    }


def content_security_policy(photos_origin: str) -> str:
    """Scripts and styles only from the console's own files; requests also to the bucket of photos."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self';"
        f" img-src 'self' blob: {photos_origin}; connect-src 'self' {photos_origin};"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
