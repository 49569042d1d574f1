"""The OpenAPI 3.1 document of the registered operations; the models that validate are the schemas."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from functions.api.examples import example_of
from functions.api.operation import JSON_TYPE, PATH_PARAMETERS, Operation
from functions.api.problems import (
    PROBLEM_MEDIA_TYPE,
    PROBLEM_TYPE_PREFIX,
    Conflict,
    Forbidden,
    InvalidCursor,
    InvalidRequest,
    NotFound,
    Problem,
    RequestInProgress,
    ServiceUnavailable,
    TooLarge,
    TooManyRequests,
    UnprocessableContent,
    UnsupportedMediaType,
)
from vigil import __version__
from vigil.access.roles import CAMERA_OPERATIONS

JsonObject = dict[str, Any]
SCHEMA_REFERENCE = "#/components/schemas/{model}"

TAG_DESCRIPTIONS = {
    "uploads": "Forms that upload a photo to a lane",
    "drops": "State and results of each processed input",
    "sightings": "Recognised and unknown faces and other results, with place and time",
    "thumbnails": "Small pictures behind links that expire",
    "alerts": "Sightings that a rule selected, and their reviews",
    "rules": "Sources, hours, and which sightings raise an alert",
    "people": "Enrolled people, their photos and their tags",
    "faces": "Comparing faces in photos, without storing them",
    "predict": "Synchronous and batch predictions",
    "models": "Models, their releases and training jobs",
    "status": "Status of the system",
    "metrics": "Series of measurements for charts",
    "cameras": "Cameras that report themselves",
    "me": "What the caller may do",
    "newest": "What was stored last, for clients that follow it",
    "lanes": "Pausing lanes, and dead letters",
    "alarms": "Alarms that notify operators",
    "audit": "The audit log and its verification",
    "reconcile": "Comparing the bucket with the ledger",
    "triage": "Faults of dead letters",
    "releases": "Releases of all models",
    "trainings": "Training jobs of all models",
    "backfill": "Running a model on stored objects",
    "subscriptions": "Webhooks for alerts and drops",
    "health": "Whether the API answers",
}
"""The description of each tag, which is the first part of a path; in the order of the reference page."""

API_INFO = {
    "title": "Vigil",
    "version": __version__,
    "summary": "Drops, sightings, alerts, people and models of one deployment",
    "description": "Every error is a problem (RFC 9457) with a stable `type` and a `remedy`. Lists are"
    " paginated: send `next` of a page as `cursor` to get the next page. A write with an `Idempotency-Key` is"
    " executed once: a repetition within a day gets the first response.",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}

PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "remedy"],
    "properties": {
        "type": {
            "type": "string",
            "pattern": f"^{PROBLEM_TYPE_PREFIX}[a-z-]+$",
            "description": "Type of the problem; stable",
        },
        "title": {"type": "string", "description": "Short text for people"},
        "status": {"type": "integer", "description": "HTTP status code"},
        "detail": {"type": "string", "description": "Details of this occurrence"},
        "remedy": {"type": "string", "description": "What the client can do"},
        "reason": {"type": "string", "description": "Why the content was rejected; stable"},
        "errors": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Invalid fields of the request: `at` is a JSON pointer, `message` the error",
        },
        "boxes_px": {
            "type": "array",
            "items": {"type": "array", "items": {"type": "number"}},
            "description": "Boxes in the photo that caused the rejection: left, top, right, bottom in pixels",
        },
    },
}

_RETRYABLE_STATUSES = (TooManyRequests.status, ServiceUnavailable.status)
_BOUND_TOKENS = {
    "refused": " The token must not be limited to sources.",
    "gallery": " A token that is limited to sources must name galleries.",
}
_RETRY_AFTER_HEADER = {
    "Retry-After": {
        "description": "Seconds to wait before a retry",
        "schema": {"type": "integer", "minimum": 1},
    }
}

_FILE_FORM_SCHEMA = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
}


class MissingToken(Problem):
    """Documented only: API Gateway sends this response, as the template defines it."""

    name, status, title = "unauthorized", 401, "Unauthorized"
    remedy = "Send Authorization: Bearer with a valid token of the configured issuer."


def openapi_document(operations: Iterable[Operation]) -> JsonObject:
    """The document of the documented ones of the operations."""
    operation_list = [one for one in operations if one.documented]
    schemas = _component_schemas(operation_list)
    paths: dict[str, JsonObject] = {}
    for operation in operation_list:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation_object(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": API_INFO,
        "servers": [{"url": "/api"}],
        "security": [{"bearer": []}],
        "tags": [
            {"name": name, "description": description} for name, description in TAG_DESCRIPTIONS.items()
        ],
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Problem": PROBLEM_SCHEMA},
            "responses": _problem_responses(
                problem for one in operation_list for problem in _possible_problems(one)
            ),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation_object(one: Operation, schemas: Mapping[str, JsonObject]) -> JsonObject:
    described: JsonObject = {
        "operationId": one.name,
        "tags": [one.tag],
        "summary": one.summary,
        "description": one.description,
        "parameters": [*_path_parameters(one), *_query_parameter_objects(one), *_idempotency_header(one)],
        "responses": _responses_object(one, schemas),
    }
    if one.role is None:
        described["security"] = []
    else:
        described["x-role"] = one.role
        camera = ", or the role camera" if one.name in CAMERA_OPERATIONS else ""
        described["description"] += f" Requires the role {one.role} or a higher one{camera}."
        described["description"] += _BOUND_TOKENS.get(one.bound_tokens, "")
    described["description"] = described["description"].strip() or one.summary + "."
    body = _request_body(one)
    return described | ({"requestBody": body} if body else {})


def _path_parameters(one: Operation) -> list[JsonObject]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": PATH_PARAMETERS[name][1],
            "schema": {"type": "string", "pattern": f"^({PATH_PARAMETERS[name][0]})$"},
        }
        for name in one.parameters
    ]


def _query_parameter_objects(one: Operation) -> list[JsonObject]:
    """The fields of the request model of a GET or DELETE, as parameters."""
    if one.request_model is None or not one.in_query:
        return []
    schema = one.request_model.model_json_schema(ref_template=SCHEMA_REFERENCE)
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            **_with_description_next_to_schema(_without_null_option(shape)),
        }
        | ({"example": one.example[name]} if one.example and name in one.example else {})
        for name, shape in schema.get("properties", {}).items()
    ]


def _with_description_next_to_schema(shape: JsonObject) -> JsonObject:
    """Move the description beside the schema, where reference pages show it."""
    schema = {name: part for name, part in shape.items() if name != "description"}
    return {"description": shape["description"], "schema": schema}


def _without_null_option(shape: Mapping[str, Any]) -> JsonObject:
    """Query parameters and response fields are absent instead of null."""
    cleaned = {name: part for name, part in shape.items() if name != "title" and part is not None}
    options = [option for option in cleaned.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        del cleaned["anyOf"]
        cleaned = options[0] | cleaned
    return cleaned


def _idempotency_header(one: Operation) -> list[JsonObject]:
    if one.method == "GET":
        return []
    header = {"name": "Idempotency-Key", "in": "header", "required": False}
    header["description"] = "Unique key of the write, chosen by the client; repetitions are not executed"
    return [header | {"schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"}}]


def _request_body(one: Operation) -> JsonObject | None:
    if one.in_query or (one.request_model is None and not one.body_types):
        return None
    content: dict[str, JsonObject] = {}
    if one.request_model is not None:
        content[JSON_TYPE] = {"schema": _schema_reference(one.request_model)}
        content[JSON_TYPE] |= {"example": one.example} if one.example is not None else {}
    for media in one.body_types:
        content[media] = {"schema": _FILE_FORM_SCHEMA if media.startswith("multipart/") else {}}
    return {"required": True, "content": content}


def _responses_object(one: Operation, schemas: Mapping[str, JsonObject]) -> dict[str, JsonObject]:
    success: JsonObject = {
        "description": _first_paragraph((one.response_model and one.response_model.__doc__) or "Done.")
    }
    if one.response_model is not None:
        reference = _schema_reference(one.response_model)
        content = {"schema": reference, "example": example_of(reference, schemas)}
        success["content"] = {JSON_TYPE: content}
    if one.media_type:
        success["content"] = {one.media_type: {}}
    responses = {str(one.status): success}
    statuses = sorted({problem.status for problem in _possible_problems(one)})
    return responses | {
        str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in statuses
    }


def _possible_problems(one: Operation) -> list[type[Problem]]:
    """The problems of an operation, declared and implied."""
    problems: list[type[Problem]] = list(one.problems)
    if one.role is not None:
        problems += [MissingToken, Forbidden, TooManyRequests, ServiceUnavailable]
    if one.parameters:
        problems.append(NotFound)
    if one.request_model is not None:
        problems.append(InvalidRequest)
        problems += [InvalidCursor] if "cursor" in one.request_model.model_fields else []
    if _request_body(one):
        problems += [TooLarge, UnsupportedMediaType]
    if one.body_types:
        problems.append(UnprocessableContent)
    if one.method != "GET":
        problems += [InvalidRequest, Conflict, RequestInProgress]
    return problems


def _problem_responses(problems: Iterable[type[Problem]]) -> dict[str, JsonObject]:
    """One response for each status, with an example of each problem."""
    by_status: dict[int, dict[str, type[Problem]]] = {}
    for problem in problems:
        by_status.setdefault(problem.status, {})[problem.title] = problem
    return {
        f"Problem{status}": {
            "description": "; or ".join(sorted(problems)),
            **({"headers": _RETRY_AFTER_HEADER} if status in _RETRYABLE_STATUSES else {}),
            "content": {
                PROBLEM_MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {
                        problem.name: {"summary": title, "value": problem().body()}
                        for title, problem in sorted(problems.items())
                    },
                }
            },
        }
        for status, problems in sorted(by_status.items())
    }


def _component_schemas(operations: Collection[Operation]) -> dict[str, JsonObject]:
    models: dict[str, type[BaseModel]] = {}
    for one in operations:
        for model in (one.response_model, None if one.in_query else one.request_model):
            if model is not None:
                models[model.__name__] = model
    pairs: list[tuple[type[BaseModel], Literal["validation"]]] = [
        (model, "validation") for model in models.values()
    ]
    _, generated = models_json_schema(pairs, ref_template=SCHEMA_REFERENCE)
    shapes: dict[str, JsonObject] = dict(sorted(generated.get("$defs", {}).items()))
    sent = _reachable_schemas(
        {one.request_model.__name__ for one in operations if one.request_model and not one.in_query}, shapes
    )
    for name in shapes.keys() - sent:
        fields = shapes[name].get("properties", {})
        shapes[name] |= {"properties": {field: _without_null_option(part) for field, part in fields.items()}}
    return shapes


def _reachable_schemas(names: set[str], shapes: Mapping[str, JsonObject]) -> set[str]:
    """The named schemas and all schemas that they refer to."""
    found, further = set[str](), set(names)
    while further:
        found |= further
        text = json.dumps([shapes[name] for name in further])
        further = set(re.findall(SCHEMA_REFERENCE.format(model=r"(\w+)"), text)) - found
    return found


def _schema_reference(model: type[BaseModel]) -> JsonObject:
    return {"$ref": SCHEMA_REFERENCE.format(model=model.__name__)}


def _first_paragraph(text: str) -> str:
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())
