"""CloudFormation's functions, worked out."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local.cloudformation.intrinsics import NO_VALUE, NameLookup, Resolver
from infra.local.errors import InvalidTemplate, UnsupportedFeature

_VALUES = {"Name": "door", "AWS::Region": "us-east-1", "List": ["a", "b"], "AWS::NoValue": NO_VALUE}
_CONDITIONS = {
    "Live": {"Fn::Equals": [{"Ref": "Name"}, "door"]},
    "Dead": {"Fn::Not": [{"Condition": "Live"}]},
}
_RESOLVER = Resolver(
    NameLookup(
        reference=_VALUES.__getitem__,
        attribute=lambda logical, attribute: f"{logical}/{attribute}",
        conditions=_CONDITIONS,
        mappings={"Sizes": {"small": {"memory": 128}}},
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
        ({"Fn::Select": ["1", {"Ref": "List"}]}, "b"),
        ({"Fn::Select": [0, {"Fn::Split": ["-", "x-y"]}]}, "x"),
        ({"Fn::If": ["Live", "yes", "no"]}, "yes"),
        ({"Fn::If": ["Dead", "yes", "no"]}, "no"),
        ({"Fn::And": [{"Condition": "Live"}, {"Condition": "Dead"}]}, False),
        ({"Fn::Or": [{"Condition": "Live"}, {"Condition": "Dead"}]}, True),
        ({"Fn::FindInMap": ["Sizes", "small", "memory"]}, 128),
        ({"Fn::Base64": "abc"}, "YWJj"),
        ({"kept": 1, "gone": {"Ref": "AWS::NoValue"}}, {"kept": 1}),
        ([1, {"Fn::If": ["Dead", 2, {"Ref": "AWS::NoValue"}]}], [1]),
        (
            {"Effect": "Allow", "Condition": {"Bool": {"x": "y"}}},
            {"Effect": "Allow", "Condition": {"Bool": {"x": "y"}}},
        ),
    ],
)
def test_functions_are_worked_out(written: Any, value: Any):
    assert _RESOLVER.resolve(written) == value


def test_an_unknown_function_is_refused_by_name():
    with pytest.raises(UnsupportedFeature, match="Fn::ImportValue"):
        _RESOLVER.resolve({"Fn::ImportValue": "other"})


def test_an_unknown_condition_is_a_bad_template():
    with pytest.raises(InvalidTemplate, match="Nowhere"):
        _RESOLVER.resolve({"Fn::If": ["Nowhere", 1, 2]})
