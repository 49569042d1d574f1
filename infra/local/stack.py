"""A template's resources → what exists in moto, and the plain properties of the compute beside it.

Everything is made by direct calls rather than through moto's CloudFormation, which drops properties
without a word and takes longer to load than the rest of the cloud takes to start.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from infra.local import channels, stores
from infra.local.clients import Clients
from infra.local.errors import LocalCloudError
from infra.local.identities import Identities
from infra.local.imitates import refusals
from infra.local.template import Resource, Template


class Stack:
    """What is deployed: `of` gives each resource of a type with its properties worked out."""

    def __init__(self, template: Template, identities: Identities, clients: Clients) -> None:
        self.identities = identities
        self.template = template
        self._clients = clients
        self._resources = [
            resource
            for resource in template.resources.values()
            if resource.condition is None or identities.resolver.holds(resource.condition)
        ]

    def check(self) -> None:
        """Refuse, in one message, everything that cannot be imitated."""
        plain = [self._plain(resource) for resource in self._resources]
        refused = [error for resource in plain for error in refusals(resource)]
        if len(refused) == 1:
            raise refused[0]
        if refused:
            raise LocalCloudError("\n".join(map(str, refused)))

    def deploy(self) -> None:
        """Make everything that is not compute: first what stands alone, then what joins it."""
        with ThreadPoolExecutor(6, thread_name_prefix="deploy") as threads:
            self._each(threads, _STANDING)
            self._each(threads, _JOINING)

    def of(self, kind: str) -> Iterator[tuple[Resource, dict[str, Any]]]:
        """Every resource of this type with its plain properties."""
        for resource in self._resources:
            if resource.type == kind:
                yield resource, dict(self._plain(resource).properties)

    def outputs(self) -> dict[str, Any]:
        """The values of the template's outputs."""
        resolver = self.identities.resolver
        return {
            name: resolver.resolve(body["Value"])
            for name, body in self.template.outputs.items()
            if "Condition" not in body or resolver.holds(body["Condition"])
        }

    def subscriptions(self) -> Iterator[dict[str, Any]]:
        """Every subscription, whether a resource of its own or written inside its topic."""
        for resource, properties in self.of("AWS::SNS::Topic"):
            for inline in properties.get("Subscription", []):
                yield {**inline, "TopicArn": self.identities.arn(resource)}
        for _, properties in self.of("AWS::SNS::Subscription"):
            yield properties

    def _plain(self, resource: Resource) -> Resource:
        properties = self.identities.resolver.resolve(dict(resource.properties))
        return dataclasses.replace(resource, properties=properties)

    def _each(self, threads: Executor, makers: Mapping[str, _Maker]) -> None:
        work = [
            threads.submit(make, self, self._clients, resource, properties)
            for kind, make in makers.items()
            for resource, properties in self.of(kind)
        ]
        for one in work:
            one.result()

    def name(self, resource: Resource) -> str:
        """The physical name of a resource."""
        return self.identities.name(resource)


_Maker = Callable[[Stack, Clients, Resource, dict[str, Any]], None]


def _table(stack: Stack, clients: Clients, resource: Resource, properties: dict[str, Any]) -> None:
    stream = stores.make_table(clients, stack.name(resource), properties)
    if stream:
        stack.identities.streams[resource.logical] = stream


def _redrive(stack: Stack, clients: Clients, resource: Resource, properties: dict[str, Any]) -> None:
    channels.redrive(clients, stack.identities.reference(resource.logical), properties)


def _parameter(stack: Stack, clients: Clients, resource: Resource, properties: dict[str, Any]) -> None:
    kept = {key: properties[key] for key in ("Type", "Value", "Description") if key in properties}
    clients.get("ssm").put_parameter(Name=stack.name(resource), **kept)


def _alias(stack: Stack, clients: Clients, resource: Resource, properties: dict[str, Any]) -> None:
    """A key that signs or authenticates, under its alias; what only encrypts is not needed here."""
    keys = {stack.name(one): body for one, body in stack.of("AWS::KMS::Key")}
    use = {name: keys[properties["TargetKeyId"]].get(name) for name in ("KeyUsage", "KeySpec")}
    if use["KeyUsage"] in (None, "ENCRYPT_DECRYPT"):
        return
    kms = clients.get("kms")
    made = kms.create_key(**use)["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=stack.name(resource), TargetKeyId=made)


def _model_group(stack: Stack, clients: Clients, resource: Resource, properties: dict[str, Any]) -> None:
    name = stack.name(resource)
    clients.get("sagemaker").create_model_package_group(**{**properties, "ModelPackageGroupName": name})


_STANDING: Mapping[str, _Maker] = {
    "AWS::DynamoDB::Table": _table,
    "AWS::S3::Bucket": lambda stack, clients, one, to: stores.make_bucket(clients, stack.name(one), to),
    "AWS::SQS::Queue": lambda stack, clients, one, to: channels.make_queue(clients, stack.name(one), to),
    "AWS::SNS::Topic": lambda stack, clients, one, to: channels.make_topic(clients, stack.name(one), to),
    "AWS::SSM::Parameter": _parameter,
    "AWS::KMS::Alias": _alias,
    "AWS::SageMaker::ModelPackageGroup": _model_group,
}

_JOINING: Mapping[str, _Maker] = {
    "AWS::SQS::Queue": _redrive,
    "AWS::SQS::QueuePolicy": lambda _stack, clients, _one, to: channels.allow(clients, to),
    "AWS::S3::Bucket": lambda stack, clients, one, to: stores.notify(clients, stack.name(one), to),
}
