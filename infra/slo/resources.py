"""The plan as CloudFormation resources, laid over a packaged template."""

from collections.abc import Mapping
from typing import Any

from infra.slo.dashboard import dashboard
from infra.slo.objectives import BURNS, Burn, Objective, Plan, Threshold, Window
from infra.slo.words import Resource, dimensions, logical, namespace, own

OPS_TOPIC = "OpsTopic"


def resources(plan: Plan) -> dict[str, Resource]:
    """Alarms by logical id, and the dashboard. A pair of windows is two alarms that a third one tells."""
    made: dict[str, Resource] = {}
    for objective in plan.objectives:
        for burn in BURNS:
            made |= _burn(objective, burn)
    for threshold in plan.thresholds:
        made[f"{logical(threshold.name)}Alarm"] = _threshold(threshold)
    return {**made, "Dashboard": dashboard(plan)}


def monitored(template: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """The template with the plan's resources in it."""
    return {**template, "Resources": {**template["Resources"], **resources(plan)}}


def _burn(objective: Objective, burn: Burn) -> dict[str, Resource]:
    name = f"{objective.name}-{burn.rate:g}x"
    long, short = f"{logical(name)}{burn.long.name}", f"{logical(name)}{burn.short.name}"
    return {
        long: _window(objective, burn, burn.long),
        short: _window(objective, burn, burn.short),
        f"{logical(name)}Burn": {
            "Type": "AWS::CloudWatch::CompositeAlarm",
            "Properties": {
                "AlarmName": {"Fn::Sub": f"vigil-${{Stage}}-{name}"},
                "AlarmDescription": f"{burn.severity}: {objective.says}, in {objective.target:.2%} of cases; "
                f"its budget burns {burn.rate:g} times too fast. docs/operations.md#{objective.name}",
                "AlarmRule": {"Fn::Sub": f'ALARM("${{{long}.Arn}}") AND ALARM("${{{short}.Arn}}")'},
                "AlarmActions": [{"Ref": OPS_TOPIC}],
                "OKActions": [{"Ref": OPS_TOPIC}],
            },
        },
    }


def _window(objective: Objective, burn: Burn, window: Window) -> Resource:
    """In alarm while bad / total burns faster than the rate; no traffic burns nothing."""
    bad = [own(signal, window.period_s, f"bad{n}") for n, signal in enumerate(objective.bad)]
    total = [own(signal, window.period_s, f"total{n}") for n, signal in enumerate(objective.total)]
    share = f"IF({_sum(total)} > 0, ({_sum(bad)}) / ({_sum(total)}), 0)"
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": {"Fn::Sub": f"vigil-${{Stage}}-{objective.name}-{burn.rate:g}x-{window.name}"},
            "AlarmDescription": f"Half of {objective.name}-{burn.rate:g}x: tells nobody by itself",
            "ActionsEnabled": False,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": round(burn.rate * objective.budget, 9),
            "EvaluationPeriods": window.periods,
            "DatapointsToAlarm": window.periods,
            "TreatMissingData": "notBreaching",
            "Metrics": [{"Id": "share", "Expression": share, "ReturnData": True}, *bad, *total],
        },
    }


def _sum(queries: list[dict[str, Any]]) -> str:
    return " + ".join(f"FILL({query['Id']}, 0)" for query in queries)


def _threshold(threshold: Threshold) -> Resource:
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": {"Fn::Sub": f"vigil-${{Stage}}-{threshold.name}"},
            "AlarmDescription": f"{threshold.says}. docs/operations.md#{threshold.name}",
            "Namespace": namespace(threshold.namespace),
            "MetricName": threshold.metric,
            "Dimensions": dimensions(threshold.dimension),
            "Statistic": threshold.statistic,
            "Period": threshold.period_s,
            "EvaluationPeriods": threshold.periods,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": threshold.above,
            "TreatMissingData": threshold.missing,
            "AlarmActions": [{"Ref": OPS_TOPIC}],
            "OKActions": [{"Ref": OPS_TOPIC}],
        },
    }
