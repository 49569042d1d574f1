"""Direct invocation → a training is ordered, or a release made elsewhere is registered."""

from collections.abc import Mapping
from typing import Any

from chalice import Blueprint

from functions.runtime.container import container
from functions.runtime.handler import lambda_handler
from vigil.errors import VigilError
from vigil.releases.rollout import ReleaseRecord

trigger = Blueprint(__name__)


@trigger.lambda_function(name="train")
@lambda_handler
def on_train(event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
    """{"model", "recipe"?} → {"job", "state", "data", "expected_usd", "max_usd"}, or {"error"}.

    {"model", "archive_key"} → {"release", "metric"}: registers the archive at that key of the store bucket.
    """
    training, model = container().training, str(event["model"])
    try:
        if "archive_key" in event:
            record = _register(model, str(event["archive_key"]))
            return {"release": record.state.release, "metric": round(record.metric.value, 4)}
        run = training.advance(training.order(model, event.get("recipe")))
    except VigilError as error:
        return {"error": {"kind": type(error).__name__, "message": str(error)}}
    container().logger.info(run.job.state, extra={"job": run.job.name})
    result = {"job": run.job.name, "state": run.job.state, "data": run.job.spec.dataset_id}
    return result | {"expected_usd": run.expected_usd, "max_usd": run.max_usd}


def _register(model: str, archive_key: str) -> ReleaseRecord:
    c = container()
    if model == c.settings.enrolment_model:
        compare = c.face_releases.compare_on_enrolled
        return c.training.register_enrolment_release(model, archive_key, compare)
    return c.training.register_external(model, archive_key)
