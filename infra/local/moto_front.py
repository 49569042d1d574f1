"""In front of moto: what the cloud itself asks of the process, beside what AWS's clients ask."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

PATH = "/local-cloud/"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Front:
    """A WSGI application that answers /local-cloud/<deed> by doing it, and hands on all else."""

    def __init__(self, behind: Application, deeds: Mapping[str, Callable[[Any], Any]]) -> None:
        self._behind = behind
        self._deeds = deeds

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PATH):
            return self._behind(environ, start)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        asked = json.loads(environ["wsgi.input"].read(length) or b"null")
        told = json.dumps(self._deeds[path.removeprefix(PATH)](asked)).encode()
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(told)))])
        return [told]
