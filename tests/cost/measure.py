"""Measures on the local cloud what a photo uses of AWS, and what a month without a photo costs.

    python -m tests.cost.measure

Ten frames, again and again: three without a face, four of an enrolled person, two of a stranger, and one of
a stranger in a restricted area, which raises an alert. They arrive one after the other, so that each is a
batch of its own, which is the dearest way. Requests of Lambda's poller and of S3 are added by rule: S3 sends
one message for a photo, the poller receives and deletes each batch. Reading the stream is free for Lambda.
"""

import json
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from infra.local.cloud import Cloud
from infra.local.eventbridge import parse_rate
from tests.cost.prices import MINUTES_PER_MONTH, Use, load_prices
from tests.cost.usage import billed_seconds, custom_metrics, use_of_calls, use_of_invocations
from tests.deployment import Deployment, enrol_photos, local_deployment, upload_file, wait_until_completed
from vigil_cli.paths import PACKAGE, PHOTOS

PHOTO_COUNT = 40
TIMEOUT_S = 180.0
KNOWN, STRANGER = PHOTOS / "obama2.jpg", PHOTOS / "biden.jpg"
FRAMES: tuple[tuple[str, Path | None], ...] = (
    *(("door", None),) * 3,
    *(("door", KNOWN),) * 4,
    *(("door", STRANGER),) * 2,
    ("vault", STRANGER),
)
"""Source and photo of each frame of the cycle; None is a frame without a face."""

PHOTO_PATH = ("Live", "Publish")
"""Functions that run for every photo."""

IDLE_POLLS_PER_MINUTE = 5 * 3
"""Lambda polls a quiet queue with five pollers, each for 20 s.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
"""


@dataclass(frozen=True, slots=True)
class PhotoCost:
    """What one photo uses.

    use          by the names of prices.toml
    calls        AWS calls of functions by service and operation
    write_units  by table or table/index, without the name of the stage
    seconds      of a worker, by function
    """

    use: Use
    calls: Mapping[str, float]
    write_units: Mapping[str, float]
    seconds: Mapping[str, float]
    bytes_read: float


def measure_cost(photos: int = PHOTO_COUNT) -> dict[str, Any]:
    """Figures for build/bench.json; `details` explains them."""
    with (
        tempfile.TemporaryDirectory(prefix="vigil-cost-") as data,
        Cloud(package=PACKAGE, data=Path(data), parameters={"Stage": "cost"}, max_workers=6) as cloud,
    ):
        photo = _measure_photo(cloud, photos)
        month = _measure_month(cloud)
    prices = load_prices()
    return {
        "usd_per_million_photos": _rounded(prices.usd_by_group(photo.use, times=1e6)),
        "usd_per_month": _rounded(month | {"total": sum(month.values())}),
        "details": {
            "photo": {
                "use": _rounded(photo.use, 5),
                "usd_per_million": _rounded(prices.usd_by_use(photo.use, times=1e6)),
                "calls": _rounded(photo.calls),
                "write_units": _rounded(photo.write_units),
                "seconds": _rounded(photo.seconds, 4),
                "bytes_read": round(photo.bytes_read),
            }
        },
    }


def _measure_photo(cloud: Cloud, count: int) -> PhotoCost:
    deployment = local_deployment(cloud.environment, cloud.outputs)
    enrol_photos(deployment, "Obama", [PHOTOS / "obama.jpg"], [])
    _drop(deployment, len(FRAMES))
    cloud.wait_until_idle(TIMEOUT_S)
    before = {name: len(list(cloud.logs(name))) for name in PHOTO_PATH}
    with cloud.recorded_calls() as calls:
        _drop(deployment, count)
        cloud.wait_until_idle(TIMEOUT_S)
    lines = {name: list(cloud.logs(name))[before[name] :] for name in PHOTO_PATH}
    functions = {cloud.function_name(name) for name in PHOTO_PATH}
    return _per_photo([one for one in calls if one["function"] in functions], lines, count)


def _drop(deployment: Deployment, count: int) -> None:
    """One frame after the other."""
    with tempfile.NamedTemporaryFile(suffix=".jpg") as empty:
        ramp = np.linspace(40, 200, 1920 * 1080 * 3, dtype=np.float32).reshape(1080, 1920, 3)
        Image.fromarray(ramp.astype(np.uint8)).save(empty, "JPEG", quality=90)
        empty.flush()
        for number in range(count):
            source, photo = FRAMES[number % len(FRAMES)]
            key = f"live/faces/{source}/{uuid.uuid4().hex}.jpg"
            drop = upload_file(deployment, photo or Path(empty.name), key, "faces")
            (row,) = wait_until_completed(deployment.records, [drop], TIMEOUT_S)
            if row["state"] != "done" or (row["sightings"] == 0) != (photo is None):
                raise RuntimeError(f"a frame ended as {row['state']} with {row.get('sightings')} sightings")


def _per_photo(
    calls: Sequence[Mapping[str, Any]], lines: Mapping[str, Sequence[str]], count: int
) -> PhotoCost:
    use = use_of_calls(calls)
    for one in lines.values():
        use += use_of_invocations(one)
    batches = use_of_invocations(lines["Live"])["lambda requests"]
    use += Counter({"s3 writes": count, "sqs requests": count + 2 * batches})
    write_units: Counter[str] = Counter()
    for call in calls:
        for place, units in call["write_units"].items():
            write_units[place.removeprefix("vigil-cost-")] += units
    return PhotoCost(
        {name: amount / count for name, amount in use.items()},
        _each(Counter(f"{one['service']} {one['operation']}" for one in calls), count),
        _each(write_units, count),
        {name: billed_seconds(one) / count for name, one in lines.items()},
        sum(one["response_bytes"] for one in calls if one["service"] == "s3") / count,
    )


def _each(counts: Mapping[str, int], number: int) -> dict[str, float]:
    return {name: amount / number for name, amount in sorted(counts.items())}


def _measure_month(cloud: Cloud) -> dict[str, float]:
    """USD of a month in which nothing arrives."""
    resources = json.loads((PACKAGE / "sam.json").read_text())["Resources"]
    prices = load_prices()
    things = things_per_month(resources)
    every_line = [line for name, one in resources.items() if _is_function(one) for line in cloud.logs(name)]
    things["custom metrics"] = custom_metrics(every_line)
    usd = {name: number * prices.month_usd[name] for name, number in things.items()}
    queues = sum(one["Type"] == "SQS" for resource in resources.values() for one in _events(resource))
    polls = {"sqs requests": queues * IDLE_POLLS_PER_MINUTE * MINUTES_PER_MONTH}
    usd["polls of queues"] = prices.usd_by_group(polls)["total"]
    usd["schedules"] = sum(_schedule_usd(cloud, resources))
    return usd


def _schedule_usd(cloud: Cloud, resources: Mapping[str, Any]) -> Iterator[float]:
    """USD per month of each function with a schedule, by one run that finds nothing to do."""
    event = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}, "resources": []}
    event |= {"account": "0", "region": "r", "time": "t", "version": "0", "id": "0"}
    for name, resource in resources.items():
        for one in _events(resource):
            if one["Type"] != "Schedule":
                continue
            payload = json.dumps(event).encode()
            invoke = cloud.client("lambda").invoke
            invoke(FunctionName=cloud.function_name(name), Payload=payload)  # the cold start
            before = len(list(cloud.logs(name)))
            with cloud.recorded_calls() as calls:
                invoke(FunctionName=cloud.function_name(name), Payload=payload)
            own = [call for call in calls if call["function"] == cloud.function_name(name)]
            use = use_of_calls(own) + use_of_invocations(list(cloud.logs(name))[before:])
            times = runs_per_month(one["Properties"]["Schedule"])
            yield load_prices().usd_by_group(use, times=times)["total"]


def things_per_month(resources: Mapping[str, Any]) -> dict[str, int]:
    """How many of what has a price per month are in a template."""
    types = Counter(one["Type"] for one in resources.values())
    return {
        "kms keys": types["AWS::KMS::Key"],
        "dashboards": types["AWS::CloudWatch::Dashboard"],
        "composite alarms": types["AWS::CloudWatch::CompositeAlarm"],
        "metrics of alarms": sum(
            _alarm_metrics(one["Properties"])
            for one in resources.values()
            if one["Type"] == "AWS::CloudWatch::Alarm"
        ),
    }


def _alarm_metrics(alarm: Mapping[str, Any]) -> int:
    """An alarm with metric math is charged for each metric that it reads."""
    return sum("MetricStat" in one for one in alarm.get("Metrics", ())) or 1


def runs_per_month(schedule: str) -> float:
    """Runs of `rate(5 minutes)` in a month."""
    return MINUTES_PER_MONTH * 60 / parse_rate(schedule, "ScheduleExpression")


def _events(resource: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return list(resource["Properties"].get("Events", {}).values()) if _is_function(resource) else []


def _is_function(resource: Mapping[str, Any]) -> bool:
    return bool(resource["Type"] == "AWS::Serverless::Function")


def _rounded(values: Mapping[str, float], digits: int = 2) -> dict[str, float]:
    return {name: round(value, digits) for name, value in values.items()}


def main() -> None:
    sys.stdout.write(json.dumps(measure_cost(), indent=1) + "\n")


if __name__ == "__main__":
    main()
