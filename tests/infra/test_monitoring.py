"""Burn-rate alarms, the dashboard, and their sections in the run-book."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.monitoring import InvalidSloConfig, monitoring_resources, read_slo_config
from infra.monitoring.dashboard import STAGES
from infra.monitoring.slo import BURN_RATES
from tests.unit.runtime.emf import shown_metrics
from vigil.drops.prediction import StageTimer

ROOT = Path(__file__).resolve().parents[2]
CONFIG = read_slo_config((ROOT / "infra/slo.toml").read_text())
RESOURCES = monitoring_resources(CONFIG)
MONTH_S = 30 * 86_400
RUNBOOK = (ROOT / "docs/operations.md").read_text()


def cloudwatch_resources(kind: str) -> dict[str, dict[str, Any]]:
    return {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == f"AWS::CloudWatch::{kind}"}


def test_the_four_objectives_are_defined():
    assert {one.name for one in CONFIG.objectives} == {
        "availability",
        "live-age",
        "completeness",
        "gallery-freshness",
    }


def test_every_objective_has_a_pair_of_windows_at_three_rates():
    assert [(burn.rate, burn.long.name, burn.short.name) for burn in BURN_RATES] == [
        (14.4, "1h", "5m"),
        (6.0, "6h", "30m"),
        (1.0, "3d", "6h"),
    ]
    assert len(cloudwatch_resources("CompositeAlarm")) == 3 * len(CONFIG.objectives)


@pytest.mark.parametrize(("number", "spent"), [(0, 0.02), (1, 0.05), (2, 0.1)])
def test_a_burn_rate_over_its_long_window_spends_a_known_share_of_the_budget(number: int, spent: float):
    burn = BURN_RATES[number]

    assert burn.rate * burn.long.period_s * burn.long.periods / MONTH_S == pytest.approx(spent)


def test_a_composite_alarm_requires_both_windows():
    for rule in (alarm["AlarmRule"]["Fn::Sub"] for alarm in cloudwatch_resources("CompositeAlarm").values()):
        halves = re.findall(r"\$\{(\w+)\.Arn\}", rule)

        assert rule.count(" AND ") == 1
        assert set(halves) <= set(cloudwatch_resources("Alarm"))


def test_single_window_alarms_notify_nobody_and_composite_alarms_notify_operators():
    halves = [alarm for alarm in cloudwatch_resources("Alarm").values() if "Metrics" in alarm]

    assert all(alarm["ActionsEnabled"] is False for alarm in halves)
    assert all(
        alarm["AlarmActions"] == [{"Ref": "OpsTopic"}]
        for alarm in cloudwatch_resources("CompositeAlarm").values()
    )


def test_thresholds_are_rates_times_the_budget():
    assert RESOURCES["LiveAge144x1h"]["Properties"]["Threshold"] == pytest.approx(14.4 * 0.01)
    assert RESOURCES["Availability1x3d"]["Properties"]["Threshold"] == pytest.approx(0.005)


def test_the_canary_alarm_waits_for_the_first_data_and_notifies_when_they_end():
    """With `breaching` CloudWatch raises it as soon as the stack exists:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    alarm = RESOURCES["CanaryAlarm"]["Properties"]

    assert alarm["TreatMissingData"] == "missing"
    assert alarm["InsufficientDataActions"] == alarm["AlarmActions"]
    assert all(one.missing_data != "breaching" for one in CONFIG.metric_alarms)


def test_every_period_is_within_the_limits_of_cloudwatch():
    for alarm in (alarm for alarm in cloudwatch_resources("Alarm").values() if "Metrics" in alarm):
        periods = {query["MetricStat"]["Period"] for query in alarm["Metrics"] if "MetricStat" in query}

        assert len(periods) == 1, "an expression's metrics share one period"
        assert max(periods) <= 86_400
        assert max(periods) * alarm["EvaluationPeriods"] <= 7 * 86_400


def test_no_traffic_burns_no_budget():
    expressions = [
        alarm["Metrics"][0]["Expression"]
        for alarm in cloudwatch_resources("Alarm").values()
        if "Metrics" in alarm
    ]

    assert all(expression.startswith("IF(") and expression.endswith(", 0)") for expression in expressions)


def test_one_dashboard_shows_every_objective():
    (board,) = cloudwatch_resources("Dashboard").values()
    titles = [w["properties"]["title"] for w in json.loads(board["DashboardBody"]["Fn::Sub"])["widgets"]]

    for objective in CONFIG.objectives:
        assert any(title.startswith(objective.name) for title in titles)


REQUIRED_METRICS = {
    "drops by outcome": ("Done", "Rejected", "Duplicate", "Failed"),
    "stage times": tuple(f"{stage}Ms" for stage in STAGES),
    "end-to-end age": ("AgeMs",),
    "faces": ("Sightings",),
    "alerts": ("Alerts",),
    "leases lost": ("LeaseLost",),
    "duplicates suppressed": ("Duplicate",),
    "gallery age": ("GalleryAgeS",),
    "cost per drop": ("CostUsd", "Completed"),
}


@pytest.mark.parametrize("what", REQUIRED_METRICS)
def test_the_dashboard_shows_the_metrics_of_both_lanes(what: str):
    assert {
        (lane, metric) for lane in ("live", "bulk") for metric in REQUIRED_METRICS[what]
    } <= shown_metrics()


def test_every_processing_stage_is_on_the_dashboard():
    texts = [path.read_text() for path in (ROOT / "layers/vigil").rglob("*.py")]
    marked = {stage for text in texts for stage in re.findall(r'(?:on_stage|stages)\("(\w+)"\)', text)}

    assert {StageTimer(print).current, *marked} == set(STAGES)


def test_the_dashboard_shows_breakers_degradation_and_releases():
    states = {("balance", name) for name in ("LiveBreakersOpen", "BulkBreakersOpen", "DegradationLevel")}
    (board,) = cloudwatch_resources("Dashboard").values()

    assert states <= shown_metrics()
    assert "SEARCH('{Vigil/${Stage},service,model,release}" in board["DashboardBody"]["Fn::Sub"]


RUNBOOK_SECTIONS = dict(re.findall(r"^### ([\w.-]+)\n(.*?)(?=^##|\Z)", RUNBOOK, re.DOTALL | re.MULTILINE))


def test_every_packaged_alarm_links_to_its_runbook_section(packaged: Path):
    template = json.loads((packaged / "sam.json").read_text())
    alarms = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] in {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"}
    ]
    notifying = [alarm for alarm in alarms if alarm.get("ActionsEnabled", True)]
    sections = {
        re.findall(r"docs/operations\.md#([\w.-]+)$", alarm["AlarmDescription"])[0] for alarm in notifying
    }

    assert len(notifying) > 3 * len(CONFIG.objectives)
    assert sections == RUNBOOK_SECTIONS.keys(), "each alarm has its section, and each section its alarm"


@pytest.mark.parametrize("name", RUNBOOK_SECTIONS)
def test_a_runbook_section_has_its_fixed_parts_and_commands(name: str):
    text = RUNBOOK_SECTIONS[name]

    parts = [text.find(f"**{part}**: ") for part in ("Meaning", "Automatic recovery", "Action")]
    assert parts[0] == 0
    assert parts == sorted(parts)
    assert re.search(r"```bash\n\./vigil ", text)


def test_every_link_of_the_runbook_resolves():
    headings = {
        heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    }

    assert set(re.findall(r"\]\(#([\w.-]+)\)", RUNBOOK)) - headings == set()


def test_the_runbook_documents_every_parameter(template: dict[str, Any]):
    documented = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| `.*\|$", RUNBOOK, re.MULTILINE))))

    assert set(template["Parameters"]) - documented == {"Stage"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[objectives.a]\nsays='x'\ntarget=1.0\nbad=[]\ntotal=[]",
        "[objectives]\n[[alarms]]\nname='a'\nsays='b'\nmetric='Vigil X'\nabove=1",
        "[objectives]\n[[alarms]]\nname='a'\nsays='b'\nmetric='Vigil X'\nservice='s'\nabove=1\ntypo=2",
    ],
)
def test_an_invalid_slo_config_is_rejected(text: str):
    with pytest.raises(InvalidSloConfig):
        read_slo_config(text)
