"""Figures of the lanes over the last hours, for charts."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from cloud.cloudwatch import MetricSeries
from functions.api.operation import Call, operation
from functions.api.schemas.fields import ApiModel, LaneName, Timestamp
from functions.runtime.container import container
from vigil.reliability.lane_counts import LANES

PERIOD = timedelta(minutes=5)
Points = Annotated[tuple[float, ...], Field(description="One value for each period, oldest first")]


class MetricsQuery(ApiModel):
    """How far to go back."""

    hours: Annotated[int, Field(ge=1, le=24, description="Hours before now")] = 3


class LaneFigures(ApiModel):
    """Figures of one lane; a period without measurements has the value 0."""

    lane: LaneName
    completed: Annotated[Points, Field(description="Completed drops in each period")]
    failed: Annotated[Points, Field(description="Failed deliveries in each period")]
    age_p95_s: Annotated[
        Points, Field(description="95th percentile of the seconds from stored to completed in each period")
    ]
    waiting: Annotated[Points, Field(description="Highest number of messages in the queue in each period")]


class MetricsOut(ApiModel):
    """Figures from CloudWatch."""

    since: Timestamp
    period_s: Annotated[int, Field(description="Length of a period in seconds")]
    lanes: Annotated[tuple[LaneFigures, ...], Field(description="The lanes live and bulk")]


@operation("GET", "/v1/metrics", role="operator", bound_tokens="allowed", example={"hours": 3})
def get_metrics(_: Call, query: MetricsQuery) -> MetricsOut:
    """Get figures of the lanes over the last hours."""
    period_s = int(PERIOD.total_seconds())
    until = datetime.fromtimestamp(datetime.now(UTC).timestamp() // period_s * period_s + period_s, UTC)
    since = until - timedelta(hours=query.hours)
    series = [one for lane in LANES for one in _lane_series(lane)]
    points = container().cloudwatch.read_series(series, PERIOD, since=since, until=until)
    figures = [
        LaneFigures(
            lane=lane,
            completed=points[4 * number],
            failed=points[4 * number + 1],
            age_p95_s=tuple(ms / 1000 for ms in points[4 * number + 2]),
            waiting=points[4 * number + 3],
        )
        for number, lane in enumerate(LANES)
    ]
    return MetricsOut(since=since, period_s=period_s, lanes=tuple(figures))


def _lane_series(lane: str) -> tuple[MetricSeries, ...]:
    """Completed, failed, age, waiting."""
    namespace, service = container().settings.metrics_namespace, {"service": lane}
    queue = {"QueueName": container().lane_queue(lane).name}
    return (
        MetricSeries(namespace, "Completed", service, "Sum"),
        MetricSeries(namespace, "Failed", service, "Sum"),
        MetricSeries(namespace, "AgeMs", service, "p95"),
        MetricSeries("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue, "Maximum"),
    )
