"""The compute in a deployed stack: functions, event sources, rules and APIs as this cloud runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from infra.local import destinations, mappings, patterns
from infra.local.asynchronous import AsyncPolicy
from infra.local.buses import Rule, Target
from infra.local.errors import BadTemplate, CannotImitate
from infra.local.gateway import Api
from infra.local.mappings import EventSource
from infra.local.proxy_events import Stage
from infra.local.routes import routes
from infra.local.sandbox import VERSION, FunctionSpec, merged, unpacked
from infra.local.stack import Stack
from infra.local.template import Resource


def functions(stack: Stack, data: Path) -> Iterator[FunctionSpec]:
    """Every function, its code unpacked under `data`; handing out must not wait for what is not there."""
    layers = {stack.identities.arn(one): _inside(stack, body["Content"]) for one, body in _layers(stack)}
    for resource, properties in stack.of("AWS::Lambda::Function"):
        _check_function(resource, properties)
        reserved = properties.get("ReservedConcurrentExecutions")
        yield FunctionSpec(
            logical=resource.logical,
            name=stack.name(resource),
            arn=stack.identities.arn(resource),
            handler=properties["Handler"],
            timeout_s=int(properties.get("Timeout", 3)),
            memory_mb=int(properties.get("MemorySize", 128)),
            reserved=None if reserved is None else int(reserved),
            code=unpacked(_inside(stack, properties["Code"]), data / "code"),
            opt=merged([_layer(layers, arn, resource) for arn in properties.get("Layers", [])], data / "opt"),
            environment=_text(properties.get("Environment", {}).get("Variables", {})),
            dead_letters=properties.get("DeadLetterConfig", {}).get("TargetArn"),
        )


def sources(stack: Stack, specs: Iterable[FunctionSpec]) -> tuple[list[EventSource], list[EventSource]]:
    """Every event source mapping: those of queues, and those of streams."""
    arns = {spec.name: spec.arn for spec in specs}
    found: dict[str, list[EventSource]] = {"sqs": [], "dynamodb": []}
    for resource, properties in stack.of("AWS::Lambda::EventSourceMapping"):
        arn = properties["EventSourceArn"]
        service = arn.split(":")[2]
        if service not in found:
            raise CannotImitate(resource.logical, f"the event source {arn}")
        name = properties["FunctionName"].split(":function:")[-1]
        if name not in arns:
            raise BadTemplate(f"{resource.logical}: no function {name}")
        source = mappings.from_template(properties, resource.logical, arns[name])
        if source.settings.on_failure:
            destinations.check(source.settings.on_failure, resource.logical)
        found[service].append(source)
    return found["sqs"], found["dynamodb"]


def policies(stack: Stack) -> dict[str, AsyncPolicy]:
    """How each function's events are tried again, by function name."""
    return {
        body["FunctionName"].split(":function:")[-1]: _policy(resource, body)
        for resource, body in stack.of("AWS::Lambda::EventInvokeConfig")
    }


def rules(stack: Stack) -> Iterator[Rule]:
    """Every rule that is not disabled."""
    for resource, properties in stack.of("AWS::Events::Rule"):
        pattern = properties.get("EventPattern")
        if pattern is not None:
            patterns.check(pattern, resource.logical)
        if properties.get("State", "ENABLED") != "DISABLED":
            yield Rule(
                arn=stack.identities.arn(resource),
                bus=properties.get("EventBusName", "default").split("/")[-1],
                targets=[_target(resource, target) for target in properties.get("Targets", [])],
                pattern=pattern,
                schedule=properties.get("ScheduleExpression"),
            )


def apis(stack: Stack) -> dict[str, Api]:
    """Every stage of every API, by stage name."""
    bodies = {
        stack.name(resource): (resource, body) for resource, body in stack.of("AWS::ApiGateway::RestApi")
    }
    found: dict[str, Api] = {}
    for resource, properties in stack.of("AWS::ApiGateway::Stage"):
        name = properties["StageName"]
        if name in found:
            raise CannotImitate(resource.logical, f"a second stage named {name}")
        api, written = bodies[properties["RestApiId"]]
        found[name] = _api(stack, name, api, {**written, "Variables": properties.get("Variables")})
    return found


def addresses(stack: Stack, gateway: str) -> Callable[[Any], Any]:
    """A change to any plain value: an API's address on AWS becomes the gateway's here."""
    hosts = [
        f"https://{stack.name(resource)}.execute-api.{stack.identities.place.region}.amazonaws.com"
        for resource, _ in stack.of("AWS::ApiGateway::RestApi")
    ]
    return partial(_moved, hosts, gateway)


def _moved(hosts: Iterable[str], gateway: str, value: Any) -> Any:
    for host in hosts:
        value = value.replace(host, gateway) if isinstance(value, str) else value
    return value


def subscriptions(stack: Stack) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The subscriptions of functions, and all others."""
    everyone = list(stack.subscriptions())
    ours = [one for one in everyone if one["Protocol"] == "lambda"]
    return ours, [one for one in everyone if one not in ours]


def _layers(stack: Stack) -> Iterator[tuple[Resource, dict[str, Any]]]:
    yield from stack.of("AWS::Lambda::LayerVersion")


def _inside(stack: Stack, code: Mapping[str, Any]) -> Path:
    """The path inside the package that template.py put into the S3 location."""
    return stack.template.folder / str(code["S3Key"])


def _layer(layers: Mapping[str, Path], arn: str, resource: Resource) -> Path:
    if arn not in layers:
        raise CannotImitate(resource.logical, f"the layer {arn}, which is not in the package")
    return layers[arn]


def _check_function(resource: Resource, properties: Mapping[str, Any]) -> None:
    if properties.get("PackageType", "Zip") != "Zip":
        raise CannotImitate(resource.logical, "functions that are container images")
    runtime = properties.get("Runtime")
    if runtime != VERSION:
        raise CannotImitate(resource.logical, f"Runtime {runtime}: the interpreter here is {VERSION}")
    dead_letters = properties.get("DeadLetterConfig", {}).get("TargetArn")
    if dead_letters:
        destinations.check(dead_letters, resource.logical)


def _text(variables: Mapping[str, Any]) -> dict[str, str]:
    """CloudFormation writes booleans and numbers as strings."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in variables.items()
    }


def _policy(resource: Resource, body: Mapping[str, Any]) -> AsyncPolicy:
    targets = body.get("DestinationConfig", {})
    success = targets.get("OnSuccess", {}).get("Destination")
    failure = targets.get("OnFailure", {}).get("Destination")
    for target in filter(None, (success, failure)):
        destinations.check(target, resource.logical)
    return AsyncPolicy(int(body.get("MaximumRetryAttempts", 2)), success, failure)


def _target(resource: Resource, written: Mapping[str, Any]) -> Target:
    destinations.check(written["Arn"], resource.logical)
    return Target(written["Arn"], written.get("Input"), written.get("InputPath"))


def _api(stack: Stack, stage: str, resource: Resource, written: Mapping[str, Any]) -> Api:
    body = written["Body"]
    binary = [*body.get("x-amazon-apigateway-binary-media-types", []), *written.get("BinaryMediaTypes", [])]
    place = stack.identities.place
    shape = Stage(stack.name(resource), stage, written.get("Variables"), binary, place)
    own = body.get("x-amazon-apigateway-gateway-responses", {})
    return Api(shape, routes(body, resource.logical), own)
