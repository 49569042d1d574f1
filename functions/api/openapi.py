"""The operations as an OpenAPI 3.1 document: the shapes that validate are the shapes that describe."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from functions.api.described_problems import PROBLEM, Unauthorized, answered
from functions.api.operation import JSON, SAYS, SHAPES, TAGS, Operation
from functions.api.problems import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    StillRunning,
    TooLarge,
    TooMany,
    Unavailable,
    WrongMedia,
)

Doc = dict[str, Any]
REFERENCE = "#/components/schemas/{model}"

INFO = {
    "title": "Vigil",
    "version": "1",
    "summary": "Who and what was seen, where and when; what people decided about it",
    "description": "Every answer that is no success is a problem (RFC 9457): a stable `type`, a way out. "
    "Lists are read with `next` as the `cursor` of the next request. Writes take an `Idempotency-Key`: "
    "repeated within a day, the answer is that of the first.",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}


def document(operations: Iterable[Operation]) -> Doc:
    """The whole document; the same operations give the same one."""
    listed = list(operations)
    paths: dict[str, Doc] = {}
    for operation in listed:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": INFO,
        "servers": [{"url": "/api"}],
        "security": [{"bearer": []}],
        "tags": [{"name": name, "description": says} for name, says in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": {**_schemas(listed), "Problem": PROBLEM},
            "responses": answered(problem for one in listed for problem in _problems(one)),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(one: Operation) -> Doc:
    told: Doc = {
        "operationId": one.name,
        "tags": [one.tag],
        "summary": one.summary,
        "description": _first(one.serve.__doc__ or ""),
        "parameters": [*_path(one), *_query(one), *_key(one)],
        "responses": _responses(one),
    }
    if one.role is None:
        told["security"] = []
    else:
        told["x-role"] = one.role
        told["description"] += f" For the role {one.role}, and those above it."
        told["description"] += " Not for a token that is bound to sources." if one.everywhere else ""
    body = _body(one)
    return told | ({"requestBody": body} if body else {})


def _path(one: Operation) -> list[Doc]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": SAYS[name],
            "schema": {"type": "string", "pattern": f"^({SHAPES[name]})$"},
        }
        for name in one.parameters
    ]


def _query(one: Operation) -> list[Doc]:
    """The fields of what a GET takes, each a parameter."""
    if one.takes is None or not one.in_query:
        return []
    schema = one.takes.model_json_schema(ref_template=REFERENCE)
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            **_lifted(_without_null(shape)),
        }
        | ({"example": one.example[name]} if one.example and name in one.example else {})
        for name, shape in schema.get("properties", {}).items()
    ]


def _lifted(shape: Doc) -> Doc:
    """A parameter's description stands beside its schema: there pages show it."""
    schema = {name: part for name, part in shape.items() if name != "description"}
    return {"description": shape["description"], "schema": schema}


def _without_null(shape: Mapping[str, Any]) -> Doc:
    """A query parameter, or a field of an answer, is there or it is not: it is never null."""
    told = {name: part for name, part in shape.items() if name != "title" and part is not None}
    options = [option for option in told.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        del told["anyOf"]
        told = options[0] | told
    return told


def _key(one: Operation) -> list[Doc]:
    if one.method == "GET":
        return []
    told = {"name": "Idempotency-Key", "in": "header", "required": False}
    told["description"] = "Of your making, new for each write: repeated with it, the write happens once"
    return [told | {"schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"}}]


def _body(one: Operation) -> Doc | None:
    if one.in_query or (one.takes is None and not one.media):
        return None
    content: dict[str, Doc] = {}
    if one.takes is not None:
        content[JSON] = {"schema": _ref(one.takes)}
        content[JSON] |= {"example": one.example} if one.example is not None else {}
    for media in one.media:
        content[media] = {"schema": _FORM if media.startswith("multipart/") else {}}
    return {"required": True, "content": content}


_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
}


def _responses(one: Operation) -> dict[str, Doc]:
    success: Doc = {"description": _first((one.answers and one.answers.__doc__) or "Done.")}
    if one.answers is not None:
        success["content"] = {JSON: {"schema": _ref(one.answers)}}
    if one.gives:
        success["content"] = {one.gives: {}}
    told = {str(one.status): success}
    statuses = sorted({problem.status for problem in _problems(one)})
    return told | {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}


def _problems(one: Operation) -> list[type[Problem]]:
    """All that an operation can answer besides success."""
    told: list[type[Problem]] = list(one.problems)
    if one.role is not None:
        told += [Unauthorized, Forbidden, TooMany, Unavailable]
    if one.parameters:
        told.append(NotFound)
    if one.takes is not None:
        told.append(Invalid)
    if _body(one):
        told += [TooLarge, WrongMedia]
    if one.method != "GET":
        told += [Invalid, Conflict, StillRunning]
    return told


def _schemas(operations: Collection[Operation]) -> dict[str, Doc]:
    models: dict[str, type[BaseModel]] = {}
    for one in operations:
        for model in (one.answers, None if one.in_query else one.takes):
            if model is not None:
                models[model.__name__] = model
    pairs: list[tuple[type[BaseModel], Literal["validation"]]] = [
        (model, "validation") for model in models.values()
    ]
    _, told = models_json_schema(pairs, ref_template=REFERENCE)
    shapes: dict[str, Doc] = dict(sorted(told.get("$defs", {}).items()))
    sent = _within({one.takes.__name__ for one in operations if one.takes and not one.in_query}, shapes)
    for name in shapes.keys() - sent:
        fields = shapes[name].get("properties", {})
        shapes[name] |= {"properties": {field: _without_null(part) for field, part in fields.items()}}
    return shapes


def _within(names: set[str], shapes: Mapping[str, Doc]) -> set[str]:
    """These shapes, and all that they are made of."""
    found, further = set[str](), set(names)
    while further:
        found |= further
        told = json.dumps([shapes[name] for name in further])
        further = set(re.findall(REFERENCE.format(model=r"(\w+)"), told)) - found
    return found


def _ref(model: type[BaseModel]) -> Doc:
    return {"$ref": REFERENCE.format(model=model.__name__)}


def _first(text: str) -> str:
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())
