"""Pagination tokens: a signed position in a list, valid for one caller and one collection."""

import json
from collections.abc import Mapping
from typing import Any

from functions.api.rekognition.errors import RekognitionError
from functions.runtime.container import container
from vigil.access.roles import Caller
from vigil.access.signing import InvalidSignature, sign_value, verify_value


def next_page(caller: Caller, name: str, request: Mapping[str, Any], position: str) -> dict[str, str]:
    """The member of an output that continues after a position; nothing without one."""
    purpose = _purpose(caller, name, request)
    return (
        {"NextToken": sign_value(position, purpose=purpose, key=container().signing_key)} if position else {}
    )


def read_token(caller: Caller, name: str, request: Mapping[str, Any]) -> str:
    """The position in the request's NextToken; empty without one. Raises RekognitionError."""
    if "NextToken" not in request:
        return ""
    try:
        position = verify_value(
            request["NextToken"], purpose=_purpose(caller, name, request), key=container().signing_key
        )
    except InvalidSignature as error:
        raise RekognitionError(
            "InvalidPaginationTokenException", "the token is not of this list; begin without a token"
        ) from error
    return str(position)


def _purpose(caller: Caller, name: str, request: Mapping[str, Any]) -> str:
    filters = {key: one for key, one in request.items() if key not in ("NextToken", "MaxResults")}
    return json.dumps([caller.id, f"rekognition:{name}", filters], sort_keys=True)
