"""How our names and metrics are said in CloudFormation."""

from typing import Any

from infra.slo.objectives import Dimension, Signal

Resource = dict[str, Any]

OURS = "Vigil"


def logical(name: str) -> str:
    """live-age-14.4x -> LiveAge144x."""
    return "".join(part[:1].upper() + part[1:] for part in name.replace(".", "").split("-"))


def namespace(name: str) -> Any:
    """Our own metrics are apart by stage; AWS's are not."""
    return {"Fn::Sub": f"{OURS}/${{Stage}}"} if name == OURS else name


def dimensions(dimension: Dimension) -> list[dict[str, Any]]:
    """What a metric is of."""
    match dimension:
        case ("queue", ident):
            return [{"Name": "QueueName", "Value": {"Fn::GetAtt": [ident, "QueueName"]}}]
        case ("function", ident):
            return [{"Name": "FunctionName", "Value": {"Ref": ident}}]
        case (_, name):
            return [{"Name": "service", "Value": name}]


def own(signal: Signal, period_s: int, ident: str) -> dict[str, Any]:
    """One of our metrics, summed, as part of an expression."""
    metric = {
        "Namespace": namespace(OURS),
        "MetricName": signal.metric,
        "Dimensions": dimensions(("service", signal.service)),
    }
    stat = {"Metric": metric, "Period": period_s, "Stat": "Sum"}
    return {"Id": ident, "ReturnData": False, "MetricStat": stat}
