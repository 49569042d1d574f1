"""The compute in a deployed stack: functions, event sources, rules and APIs as this cloud runs them."""

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
from infra.local.event_sources.async_invoke import AsyncPolicy, validate_destination
from infra.local.event_sources.mapping import EventSourceMapping, mapping_from_template
from infra.local.eventbridge import EventRule, RuleTarget, validate_pattern
from infra.local.lambda_.sandbox import (
    PYTHON_RUNTIME,
    FunctionSpec,
    merge_layers,
    unpack_code,
)


def function_specs(stack: Stack, data: Path) -> Iterator[FunctionSpec]:
    """Every function, its code unpacked under `data`; handing out must not wait for what is not there."""
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
            dead_letter_arn=properties.get("DeadLetterConfig", {}).get("TargetArn"),
        )


def event_source_mappings(
    stack: Stack, specs: Iterable[FunctionSpec]
) -> tuple[list[EventSourceMapping], list[EventSourceMapping]]:
    """Every event source mapping: those of queues, and those of streams."""
    arns = {spec.name: spec.arn for spec in specs}
    mappings_by_service: dict[str, list[EventSourceMapping]] = {"sqs": [], "dynamodb": []}
    for resource, properties in stack.resources_of("AWS::Lambda::EventSourceMapping"):
        arn = properties["EventSourceArn"]
        service = arn.split(":")[2]
        if service not in mappings_by_service:
            raise UnsupportedFeature(resource.logical_id, f"the event source {arn}")
        name = properties["FunctionName"].split(":function:")[-1]
        if name not in arns:
            raise InvalidTemplate(f"{resource.logical_id}: no function {name}")
        source = mapping_from_template(properties, resource.logical_id, arns[name])
        if source.settings.on_failure:
            validate_destination(source.settings.on_failure, resource.logical_id)
        mappings_by_service[service].append(source)
    return mappings_by_service["sqs"], mappings_by_service["dynamodb"]


def async_policies(stack: Stack) -> dict[str, AsyncPolicy]:
    """How each function's events are tried again, by function name."""
    return {
        body["FunctionName"].split(":function:")[-1]: _async_policy(resource, body)
        for resource, body in stack.resources_of("AWS::Lambda::EventInvokeConfig")
    }


def event_rules(stack: Stack) -> Iterator[EventRule]:
    """Every rule that is not disabled."""
    for resource, properties in stack.resources_of("AWS::Events::Rule"):
        pattern = properties.get("EventPattern")
        if pattern is not None:
            validate_pattern(pattern, resource.logical_id)
        if properties.get("State", "ENABLED") != "DISABLED":
            yield EventRule(
                arn=stack.names.arn(resource),
                bus=properties.get("EventBusName", "default").split("/")[-1],
                targets=[_rule_target(resource, target) for target in properties.get("Targets", [])],
                pattern=pattern,
                schedule=properties.get("ScheduleExpression"),
            )


def rest_apis(stack: Stack) -> dict[str, RestApi]:
    """Every stage of every API, by stage name."""
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
        found[name] = _rest_api(stack, name, api, {**written, "Variables": properties.get("Variables")})
    return found


def local_url_rewriter(stack: Stack, gateway: str) -> Callable[[Any], Any]:
    """A change to any plain value: an API's address on AWS becomes the gateway's here."""
    hosts = [
        f"https://{stack.name(resource)}.execute-api.{stack.names.location.region}.amazonaws.com"
        for resource, _ in stack.resources_of("AWS::ApiGateway::RestApi")
    ]
    return partial(_rewrite_url, hosts, gateway)


def _rewrite_url(hosts: Iterable[str], gateway: str, value: Any) -> Any:
    for host in hosts:
        value = value.replace(host, gateway) if isinstance(value, str) else value
    return value


def split_subscriptions(stack: Stack) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The subscriptions of functions, and all others."""
    everything = list(stack.subscriptions())
    lambda_subscriptions = [one for one in everything if one["Protocol"] == "lambda"]
    return lambda_subscriptions, [one for one in everything if one not in lambda_subscriptions]


def _layer_versions(stack: Stack) -> Iterator[tuple[Resource, dict[str, Any]]]:
    yield from stack.resources_of("AWS::Lambda::LayerVersion")


def _package_path(stack: Stack, code: Mapping[str, Any]) -> Path:
    """The path inside the package that template.py put into the S3 location."""
    return stack.template.folder / str(code["S3Key"])


def _layer_path(layers: Mapping[str, Path], arn: str, resource: Resource) -> Path:
    if arn not in layers:
        raise UnsupportedFeature(resource.logical_id, f"the layer {arn}, which is not in the package")
    return layers[arn]


def _validate_function(resource: Resource, properties: Mapping[str, Any]) -> None:
    if properties.get("PackageType", "Zip") != "Zip":
        raise UnsupportedFeature(resource.logical_id, "functions that are container images")
    runtime = properties.get("Runtime")
    if runtime != PYTHON_RUNTIME:
        raise UnsupportedFeature(
            resource.logical_id, f"Runtime {runtime}: the interpreter here is {PYTHON_RUNTIME}"
        )
    dead_letters = properties.get("DeadLetterConfig", {}).get("TargetArn")
    if dead_letters:
        validate_destination(dead_letters, resource.logical_id)


def _to_strings(variables: Mapping[str, Any]) -> dict[str, str]:
    """CloudFormation writes booleans and numbers as strings."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in variables.items()
    }


def _async_policy(resource: Resource, body: Mapping[str, Any]) -> AsyncPolicy:
    targets = body.get("DestinationConfig", {})
    success = targets.get("OnSuccess", {}).get("Destination")
    failure = targets.get("OnFailure", {}).get("Destination")
    for target in filter(None, (success, failure)):
        validate_destination(target, resource.logical_id)
    return AsyncPolicy(int(body.get("MaximumRetryAttempts", 2)), success, failure)


def _rule_target(resource: Resource, written: Mapping[str, Any]) -> RuleTarget:
    validate_destination(written["Arn"], resource.logical_id)
    return RuleTarget(written["Arn"], written.get("Input"), written.get("InputPath"))


def _rest_api(stack: Stack, stage: str, resource: Resource, written: Mapping[str, Any]) -> RestApi:
    body = written["Body"]
    binary = [*body.get("x-amazon-apigateway-binary-media-types", []), *written.get("BinaryMediaTypes", [])]
    location = stack.names.location
    api_stage = ApiStage(stack.name(resource), stage, written.get("Variables"), binary, location)
    gateway_responses = body.get("x-amazon-apigateway-gateway-responses", {})
    return RestApi(api_stage, parse_routes(body, resource.logical_id), gateway_responses)
