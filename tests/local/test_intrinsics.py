"""Evaluation of CloudFormation's intrinsic functions."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local.cloudformation.names import NO_VALUE, NameLookup, Resolver
from infra.local.errors import InvalidTemplate, UnsupportedFeature

_VALUES = {"Name": "door", "AWS::Region": "us-east-1", "AWS::NoValue": NO_VALUE}
_CONDITIONS = {
    "Live": {"Fn::Equals": [{"Ref": "Name"}, "door"]},
    "Dead": {"Fn::Not": [{"Condition": "Live"}]},
}
_RESOLVER = Resolver(
    NameLookup(
        reference=_VALUES.__getitem__,
        attribute=lambda logical, attribute: f"{logical}/{attribute}",
        conditions=_CONDITIONS,
    )
)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ({"Ref": "Name"}, "door"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "Queue/Arn"),
        ({"Fn::GetAtt": "Queue.Arn"}, "Queue/Arn"),
        ({"Fn::Sub": "${Name}-${Queue.Arn}-${!Literal}"}, "door-Queue/Arn-${Literal}"),
        ({"Fn::Sub": ["${Given}@${AWS::Region}", {"Given": {"Ref": "Name"}}]}, "door@us-east-1"),
        ({"Fn::Join": [":", ["a", {"Ref": "Name"}, 3]]}, "a:door:3"),
        ({"Fn::If": ["Live", "yes", "no"]}, "yes"),
        ({"Fn::If": ["Dead", "yes", "no"]}, "no"),
        ({"Fn::And": [{"Condition": "Live"}, {"Condition": "Dead"}]}, False),
        ({"Fn::Or": [{"Condition": "Live"}, {"Condition": "Dead"}]}, True),
        ({"a": 1, "b": {"Ref": "AWS::NoValue"}}, {"a": 1}),
        ([1, {"Fn::If": ["Dead", 2, {"Ref": "AWS::NoValue"}]}], [1]),
        (
            {"Effect": "Allow", "Condition": {"Bool": {"x": "y"}}},
            {"Effect": "Allow", "Condition": {"Bool": {"x": "y"}}},
        ),
    ],
)
def test_intrinsic_functions_are_evaluated(written: Any, value: Any):
    assert _RESOLVER.resolve(written) == value


@pytest.mark.parametrize("name", ["Fn::ImportValue", "Fn::FindInMap", "Fn::Select", "Fn::Base64"])
def test_an_unsupported_intrinsic_function_is_refused_by_name(name: str):
    with pytest.raises(UnsupportedFeature, match=name):
        _RESOLVER.resolve({name: ["other"]})


def test_an_unknown_condition_is_an_invalid_template():
    with pytest.raises(InvalidTemplate, match="Nowhere"):
        _RESOLVER.resolve({"Fn::If": ["Nowhere", 1, 2]})
