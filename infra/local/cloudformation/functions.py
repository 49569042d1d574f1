"""Reads the functions, event source mappings, rules and APIs of a stack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from infra.local.apigateway.events import ApiStage
from infra.local.apigateway.routes import parse_routes
from infra.local.apigateway.server import RestApi
from infra.local.cloudformation.deploy import Stack
from infra.local.cloudformation.template import Resource
from infra.local.errors import InvalidTemplate, UnsupportedFeature
from infra.local.event_sources.async_invoke import validate_destination
from infra.local.event_sources.mapping import EventSourceMapping, mapping_from_template
from infra.local.eventbridge import EventRule, parse_pattern, parse_rate
from infra.local.lambda_.sandbox import PYTHON_RUNTIME, FunctionSpec, merge_layers, unpack_code


def function_specs(stack: Stack, data: Path) -> Iterator[FunctionSpec]:
    """Yield every function, with its code and layers unpacked in the data folder."""
    layers = {
        stack.names.arn(one): _package_path(stack, body["Content"]) for one, body in _layer_versions(stack)
    }
    for resource, properties in stack.resources_of("AWS::Lambda::Function"):
        _validate_function(resource, properties)
        reserved = properties.get("ReservedConcurrentExecutions")
        yield FunctionSpec(
            logical_id=resource.logical_id,
            name=stack.name(resource),
            arn=stack.names.arn(resource),
            handler=properties["Handler"],
            timeout_s=int(properties.get("Timeout", 3)),
            memory_mb=int(properties.get("MemorySize", 128)),
            reserved_concurrency=None if reserved is None else int(reserved),
            code_folder=unpack_code(_package_path(stack, properties["Code"]), data / "code"),
            opt_folder=merge_layers(
                [_layer_path(layers, arn, resource) for arn in properties.get("Layers", [])], data / "opt"
            ),
            environment=_to_strings(properties.get("Environment", {}).get("Variables", {})),
        )


def event_source_mappings(
    stack: Stack, specs: Iterable[FunctionSpec]
) -> tuple[list[EventSourceMapping], list[EventSourceMapping]]:
    """Return the event source mappings of queues and those of streams."""
    arns = {spec.name: spec.arn for spec in specs}
    mappings_by_service: dict[str, list[EventSourceMapping]] = {"sqs": [], "dynamodb": []}
    for resource, properties in stack.resources_of("AWS::Lambda::EventSourceMapping"):
        arn = properties["EventSourceArn"]
        service = arn.split(":")[2]
        if service not in mappings_by_service:
            raise UnsupportedFeature(resource.logical_id, f"the event source {arn}")
        name = properties["FunctionName"].split(":function:")[-1]
        if name not in arns:
            raise InvalidTemplate(f"{resource.logical_id}: the template has no function {name}")
        source = mapping_from_template(properties, resource.logical_id, arns[name])
        if source.settings.on_failure:
            validate_destination(source.settings.on_failure, resource.logical_id, "sqs")
        mappings_by_service[service].append(source)
    return mappings_by_service["sqs"], mappings_by_service["dynamodb"]


def event_rules(stack: Stack) -> Iterator[EventRule]:
    """Yield every rule of the default event bus."""
    for resource, properties in stack.resources_of("AWS::Events::Rule"):
        name = resource.logical_id
        pattern, rate = properties.get("EventPattern"), properties.get("ScheduleExpression")
        targets = [target["Arn"] for target in properties.get("Targets", [])]
        for arn in targets:
            validate_destination(arn, name, "lambda")
        yield EventRule(
            arn=stack.names.arn(resource),
            targets=targets,
            pattern=None if pattern is None else parse_pattern(pattern, name),
            every_s=None if rate is None else parse_rate(rate, name),
        )


def rest_apis(stack: Stack) -> dict[str, RestApi]:
    """Return every stage of every API by its stage name."""
    bodies = {
        stack.name(resource): (resource, body)
        for resource, body in stack.resources_of("AWS::ApiGateway::RestApi")
    }
    found: dict[str, RestApi] = {}
    for resource, properties in stack.resources_of("AWS::ApiGateway::Stage"):
        name = properties["StageName"]
        if name in found:
            raise UnsupportedFeature(resource.logical_id, f"a second stage named {name}")
        api, written = bodies[properties["RestApiId"]]
        found[name] = _rest_api(stack, name, api, written["Body"])
    return found


def local_url_rewriter(stack: Stack, gateway: str) -> Callable[[Any], Any]:
    """Return a function that replaces an API's URL on AWS by that of the local gateway."""
    hosts = [
        f"https://{stack.name(resource)}.execute-api.{stack.names.location.region}.amazonaws.com"
        for resource, _ in stack.resources_of("AWS::ApiGateway::RestApi")
    ]
    return partial(_rewrite_url, hosts, gateway)


def _rewrite_url(hosts: Iterable[str], gateway: str, value: Any) -> Any:
    for host in hosts:
        value = value.replace(host, gateway) if isinstance(value, str) else value
    return value


def _layer_versions(stack: Stack) -> Iterator[tuple[Resource, dict[str, Any]]]:
    yield from stack.resources_of("AWS::Lambda::LayerVersion")


def _package_path(stack: Stack, code: Mapping[str, Any]) -> Path:
    """Return the path in the package, which template.py wrote as an S3 location."""
    return stack.template.folder / str(code["S3Key"])


def _layer_path(layers: Mapping[str, Path], arn: str, resource: Resource) -> Path:
    if arn not in layers:
        raise UnsupportedFeature(resource.logical_id, f"the layer {arn} outside the package")
    return layers[arn]


def _validate_function(resource: Resource, properties: Mapping[str, Any]) -> None:
    if properties.get("PackageType", "Zip") != "Zip":
        raise UnsupportedFeature(resource.logical_id, "PackageType Image of AWS::Lambda::Function")
    runtime = properties.get("Runtime")
    if runtime != PYTHON_RUNTIME:
        raise UnsupportedFeature(
            resource.logical_id, f"Runtime {runtime}: this interpreter is {PYTHON_RUNTIME}"
        )


def _to_strings(variables: Mapping[str, Any]) -> dict[str, str]:
    """Write booleans and numbers as strings, as CloudFormation does."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in variables.items()
    }


def _rest_api(stack: Stack, stage: str, resource: Resource, body: Mapping[str, Any]) -> RestApi:
    binary = body.get("x-amazon-apigateway-binary-media-types", [])
    api_stage = ApiStage(stack.name(resource), stage, binary, stack.names.location)
    gateway_responses = body.get("x-amazon-apigateway-gateway-responses", {})
    return RestApi(api_stage, parse_routes(body, resource.logical_id), gateway_responses)
