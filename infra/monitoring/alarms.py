"""Alarms of infra/slo.toml as CloudFormation resources."""

from collections.abc import Mapping
from typing import Any

from infra.monitoring.dashboard import dashboard_resource
from infra.monitoring.slo import (
    BURN_RATES,
    AlarmWindow,
    BurnRate,
    MetricAlarm,
    Objective,
    Resource,
    SloConfig,
    logical_id,
    metric_dimensions,
    namespace_value,
    sum_query,
)

OPS_TOPIC = "OpsTopic"


def monitoring_resources(config: SloConfig) -> dict[str, Resource]:
    """Return the alarms and the dashboard by logical id; a burn rate is two alarms and a composite one."""
    alarms: dict[str, Resource] = {}
    for objective in config.objectives:
        for burn_rate in BURN_RATES:
            alarms |= _burn_rate_alarms(objective, burn_rate)
    for metric_alarm in config.metric_alarms:
        alarms[f"{logical_id(metric_alarm.name)}Alarm"] = _metric_alarm_resource(metric_alarm)
    return {**alarms, "Dashboard": dashboard_resource(config)}


def add_monitoring(template: Mapping[str, Any], config: SloConfig) -> dict[str, Any]:
    """Return the template with the resources of the config added."""
    return {**template, "Resources": {**template["Resources"], **monitoring_resources(config)}}


def _burn_rate_alarms(objective: Objective, burn_rate: BurnRate) -> dict[str, Resource]:
    name = f"{objective.name}-{burn_rate.rate:g}x"
    long, short = f"{logical_id(name)}{burn_rate.long.name}", f"{logical_id(name)}{burn_rate.short.name}"
    return {
        long: _window_alarm(objective, burn_rate, burn_rate.long),
        short: _window_alarm(objective, burn_rate, burn_rate.short),
        f"{logical_id(name)}Burn": {
            "Type": "AWS::CloudWatch::CompositeAlarm",
            "Properties": {
                "AlarmName": {"Fn::Sub": f"vigil-${{Stage}}-{name}"},
                "AlarmDescription": f"{burn_rate.severity}: {objective.description}, "
                f"target {objective.target:.2%}; the error budget burns {burn_rate.rate:g} times too fast. "
                f"docs/operations.md#{objective.name}",
                "AlarmRule": {"Fn::Sub": f'ALARM("${{{long}.Arn}}") AND ALARM("${{{short}.Arn}}")'},
                "AlarmActions": [{"Ref": OPS_TOPIC}],
                "OKActions": [{"Ref": OPS_TOPIC}],
            },
        },
    }


def _window_alarm(objective: Objective, burn_rate: BurnRate, window: AlarmWindow) -> Resource:
    """Return an alarm on bad / total above the burn rate; without traffic the share is 0."""
    bad = [sum_query(signal, window.period_s, f"bad{n}") for n, signal in enumerate(objective.bad)]
    total = [sum_query(signal, window.period_s, f"total{n}") for n, signal in enumerate(objective.total)]
    share = f"IF({_sum_expression(total)} > 0, ({_sum_expression(bad)}) / ({_sum_expression(total)}), 0)"
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": {"Fn::Sub": f"vigil-${{Stage}}-{objective.name}-{burn_rate.rate:g}x-{window.name}"},
            "AlarmDescription": f"One window of {objective.name}-{burn_rate.rate:g}x; does not notify",
            "ActionsEnabled": False,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": round(burn_rate.rate * objective.budget, 9),
            "EvaluationPeriods": window.periods,
            "DatapointsToAlarm": window.periods,
            "TreatMissingData": "notBreaching",
            "Metrics": [{"Id": "share", "Expression": share, "ReturnData": True}, *bad, *total],
        },
    }


def _sum_expression(queries: list[dict[str, Any]]) -> str:
    return " + ".join(f"FILL({query['Id']}, 0)" for query in queries)


def _metric_alarm_resource(alarm: MetricAlarm) -> Resource:
    ends_silently = alarm.missing_data == "missing"
    notify_without_data = {"InsufficientDataActions": [{"Ref": OPS_TOPIC}]} if ends_silently else {}
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": {"Fn::Sub": f"vigil-${{Stage}}-{alarm.name}"},
            "AlarmDescription": f"{alarm.description}. docs/operations.md#{alarm.name}",
            "Namespace": namespace_value(alarm.namespace),
            "MetricName": alarm.metric,
            "Dimensions": metric_dimensions(alarm.dimension),
            "Statistic": alarm.statistic,
            "Period": alarm.period_s,
            "EvaluationPeriods": alarm.periods,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.missing_data,
            **notify_without_data,
            "AlarmActions": [{"Ref": OPS_TOPIC}],
            "OKActions": [{"Ref": OPS_TOPIC}],
        },
    }
