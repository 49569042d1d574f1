"""Promises become alarms that go off when, and only when, they are broken."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.slo import BadPlan, read, resources
from infra.slo.dashboard import STAGES
from infra.slo.objectives import BURNS
from tests.steady.dashboard import shown_metrics
from vigil.flow.stages import Stages

ROOT = Path(__file__).resolve().parents[2]
PLAN = read((ROOT / "infra/slo.toml").read_text())
MADE = resources(PLAN)
MONTH_S = 30 * 86_400
MANUAL = (ROOT / "docs/operations.md").read_text()


def of(kind: str) -> dict[str, dict[str, Any]]:
    return {name: r["Properties"] for name, r in MADE.items() if r["Type"] == f"AWS::CloudWatch::{kind}"}


def test_the_four_promises_are_made():
    assert {one.name for one in PLAN.objectives} == {
        "availability",
        "live-age",
        "completeness",
        "gallery-freshness",
    }


def test_every_promise_has_a_pair_of_windows_at_three_rates():
    assert [(burn.rate, burn.long.name, burn.short.name) for burn in BURNS] == [
        (14.4, "1h", "5m"),
        (6.0, "6h", "30m"),
        (1.0, "3d", "6h"),
    ]
    assert len(of("CompositeAlarm")) == 3 * len(PLAN.objectives)


@pytest.mark.parametrize(("number", "spent"), [(0, 0.02), (1, 0.05), (2, 0.1)])
def test_a_burn_that_lasts_for_its_long_window_has_spent_a_known_share_of_the_month(
    number: int, spent: float
):
    burn = BURNS[number]

    assert burn.rate * burn.long.period_s * burn.long.periods / MONTH_S == pytest.approx(spent)


def test_both_windows_must_burn():
    for rule in (alarm["AlarmRule"]["Fn::Sub"] for alarm in of("CompositeAlarm").values()):
        halves = re.findall(r"\$\{(\w+)\.Arn\}", rule)

        assert rule.count(" AND ") == 1
        assert set(halves) <= set(of("Alarm"))


def test_halves_tell_nobody_and_pairs_tell_operators():
    halves = [alarm for alarm in of("Alarm").values() if "Metrics" in alarm]

    assert all(alarm["ActionsEnabled"] is False for alarm in halves)
    assert all(alarm["AlarmActions"] == [{"Ref": "OpsTopic"}] for alarm in of("CompositeAlarm").values())


def test_thresholds_are_rates_times_the_budget():
    assert MADE["LiveAge144x1h"]["Properties"]["Threshold"] == pytest.approx(14.4 * 0.01)
    assert MADE["Availability1x3d"]["Properties"]["Threshold"] == pytest.approx(0.005)


def test_cloudwatch_takes_every_period():
    for alarm in (alarm for alarm in of("Alarm").values() if "Metrics" in alarm):
        periods = {query["MetricStat"]["Period"] for query in alarm["Metrics"] if "MetricStat" in query}

        assert len(periods) == 1, "an expression's metrics share one period"
        assert max(periods) <= 86_400
        assert max(periods) * alarm["EvaluationPeriods"] <= 7 * 86_400


def test_no_traffic_burns_nothing():
    expressions = [alarm["Metrics"][0]["Expression"] for alarm in of("Alarm").values() if "Metrics" in alarm]

    assert all(expression.startswith("IF(") and expression.endswith(", 0)") for expression in expressions)


def test_one_dashboard_shows_every_promise():
    (board,) = of("Dashboard").values()
    titles = [w["properties"]["title"] for w in json.loads(board["DashboardBody"]["Fn::Sub"])["widgets"]]

    for objective in PLAN.objectives:
        assert any(title.startswith(objective.name) for title in titles)


MEASURED = {
    "drops by outcome": ("Done", "Rejected", "Duplicate", "Failed"),
    "stage times": tuple(f"{stage}Ms" for stage in STAGES),
    "end-to-end age": ("AgeMs",),
    "faces": ("Sightings",),
    "alerts": ("Alerts",),
    "leases lost": ("LeaseLost",),
    "duplicates suppressed": ("Duplicate",),
    "gallery age": ("GalleryAgeS",),
    "cost per drop": ("CostUsd", "Settled"),
}


@pytest.mark.parametrize("what", MEASURED)
def test_the_dashboard_shows_what_is_measured_of_both_lanes(what: str):
    assert {(lane, metric) for lane in ("live", "bulk") for metric in MEASURED[what]} <= shown_metrics()


def test_every_stage_that_a_model_or_a_story_marks_has_its_line():
    texts = [path.read_text() for path in (ROOT / "layers/vigil").rglob("*.py")]
    marked = {stage for text in texts for stage in re.findall(r'(?:mark|stages)\("(\w+)"\)', text)}

    assert {Stages(print).now, *marked} == set(STAGES)


def test_the_dashboard_shows_breakers_degradation_and_releases():
    states = {("balance", name) for name in ("LiveBreakersOpen", "BulkBreakersOpen", "DegradationLevel")}
    (board,) = of("Dashboard").values()

    assert states <= shown_metrics()
    assert "SEARCH('{Vigil/${Stage},service,model,release}" in board["DashboardBody"]["Fn::Sub"]


SECTIONS = dict(re.findall(r"^### ([\w.-]+)\n(.*?)(?=^##|\Z)", MANUAL, re.DOTALL | re.MULTILINE))


def test_every_alarm_that_is_packaged_says_where_the_manual_tells_of_it(packaged: Path):
    template = json.loads((packaged / "sam.json").read_text())
    alarms = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] in {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"}
    ]
    telling = [alarm for alarm in alarms if alarm.get("ActionsEnabled", True)]
    places = {
        re.findall(r"docs/operations\.md#([\w.-]+)$", alarm["AlarmDescription"])[0] for alarm in telling
    }

    assert len(telling) > 3 * len(PLAN.objectives)
    assert places == SECTIONS.keys(), "each alarm has its section, and each section its alarm"


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_tells_what_it_means_what_mends_itself_what_to_do_and_with_which_commands(name: str):
    told = SECTIONS[name]

    parts = [told.find(f"**{part}**: ") for part in ("Means", "Mends itself", "Do")]
    assert parts[0] == 0
    assert parts == sorted(parts)
    assert re.search(r"```bash\n\./vigil ", told)


def test_every_link_of_the_manual_leads_somewhere():
    headings = {
        heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", MANUAL, re.MULTILINE)
    }

    assert set(re.findall(r"\]\(#([\w.-]+)\)", MANUAL)) - headings == set()


def test_the_manual_tells_of_every_parameter(template: dict[str, Any]):
    told = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| `.*\|$", MANUAL, re.MULTILINE))))

    assert set(template["Parameters"]) - told == {"Stage"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[objectives.a]\nsays='x'\ntarget=1.0\nbad=[]\ntotal=[]",
        "[objectives]\n[[alarms]]\nname='a'\nsays='b'\nmetric='Vigil X'\nabove=1",
        "[objectives]\n[[alarms]]\nname='a'\nsays='b'\nmetric='Vigil X'\nservice='s'\nabove=1\ntypo=2",
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused(text: str):
    with pytest.raises(BadPlan):
        read(text)
