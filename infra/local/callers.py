"""Who asks AWS for what: read from the headers that every client sends."""

from __future__ import annotations

import re

_FUNCTION = re.compile(r"exec-env/AWS_Lambda.*?\bapp/(\d+)", re.DOTALL)
"""The runtime says in every call that it is Lambda; boot.py adds the worker's process."""

_SERVICE = re.compile(r"Credential=[^/]+/[^/]+/[^/]+/([^/]+)/")
_NAMES = {"monitoring": "cloudwatch"}
"""Services that sign under another name than boto3's."""


def worker(user_agent: str) -> int | None:
    """The process of the function that asks; None for anybody else."""
    found = _FUNCTION.search(user_agent)
    return int(found[1]) if found else None


def service(authorization: str) -> str:
    """What is asked, by boto3's name."""
    found = _SERVICE.search(authorization)
    return _NAMES.get(found[1], found[1]) if found else ""
