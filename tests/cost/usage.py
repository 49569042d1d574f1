"""What functions used of AWS, from the call log and the log lines of the local cloud."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_REPORT = re.compile(r"Billed Duration: (\d+) ms\tMemory Size: (\d+) MB")
_EVENT_BYTES = 26
"""What CloudWatch counts for each log event besides its text.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""
_MB = 2**20
_S3_WRITES = {"PutObject", "PostObject", "GetBucket"}  # a listing costs as much as a write


def use_of_calls(calls: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """The amounts of calls, by the names of prices.toml."""
    use: Counter[str] = Counter()
    for call in calls:
        match call["service"]:
            case "dynamodb":
                use["dynamodb write units"] += sum(call["write_units"].values())
                use["dynamodb read units"] += call["read_units"]
            case "s3" if not call["operation"].startswith("Delete"):
                use["s3 writes" if call["operation"] in _S3_WRITES else "s3 reads"] += 1
            case "sqs" | "kms":
                use[f"{call['service']} requests"] += 1
            case "sns":
                use["sns publishes"] += 1
            case "cloudwatch":
                use["cloudwatch requests"] += 1
    return use


def use_of_invocations(lines: Sequence[str]) -> Counter[str]:
    """The invocations, their GB-seconds and the size of their log."""
    reports = [found for line in lines if (found := _REPORT.search(line))]
    use: Counter[str] = Counter({"lambda requests": len(reports)})
    gb_s = sum(int(one[1]) / 1000 * int(one[2]) / 1024 for one in reports)
    use["lambda gb seconds"] = gb_s  # type: ignore[assignment]
    size = sum(len(line.encode()) + 1 + _EVENT_BYTES for line in lines)
    use["log megabytes"] = size / _MB  # type: ignore[assignment]
    return use


def billed_seconds(lines: Iterable[str]) -> float:
    return sum(int(found[1]) / 1000 for line in lines if (found := _REPORT.search(line)))


def custom_metrics(lines: Iterable[str]) -> int:
    """Different metrics in embedded metric format: namespace, name and dimensions make one."""
    found = set()
    for line in lines:
        if '"CloudWatchMetrics"' not in line:
            continue
        record = json.loads(line)
        for one in record["_aws"]["CloudWatchMetrics"]:
            for names in one["Dimensions"] or [[]]:
                dimensions = tuple(sorted((name, record.get(name)) for name in names))
                found |= {(one["Namespace"], metric["Name"], dimensions) for metric in one["Metrics"]}
    return len(found)
