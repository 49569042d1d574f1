"""Training jobs of models."""

from functions.api.operation import Call, operation
from functions.api.problems import NotFound, UnprocessableContent
from functions.api.schemas.models import TrainingAccepted, TrainingList, TrainingOut, TrainingRequest
from functions.runtime.container import container
from vigil.training.jobs import TrainingRun

REASON_BY_ERROR = {
    "InsufficientData": "insufficient-data",
    "TrainingUnavailable": "training-unavailable",
    "InvalidToml": "invalid-recipe",
}


@operation(
    "POST",
    "/v1/models/{model}/trainings",
    role="operator",
    bound_tokens="refused",
    status=202,
    audited=True,
    example={},
    problems=(UnprocessableContent,),
)
def start_training(call: Call, request: TrainingRequest) -> TrainingAccepted:
    """Start a training job.

    The job trains on the current labels. The same labels and recipe give the same job.
    """
    payload = {"model": call.path["model"], **request.model_dump(exclude_none=True)}
    response = container().lambda_functions.invoke(container().settings.train_function, payload)
    if "error" in response:
        raise UnprocessableContent(
            response["error"]["message"],
            reason=REASON_BY_ERROR.get(response["error"]["kind"], "unprocessable-content"),
        )
    return TrainingAccepted(**response)


@operation("GET", "/v1/models/{model}/trainings", role="operator", bound_tokens="allowed")
def list_trainings(call: Call) -> TrainingList:
    """List the training jobs of a model, newest first."""
    model = call.path["model"]
    jobs = tuple(map(_to_training, container().training_jobs.for_model(model)))
    is_known = jobs or model in container().model_cards or container().releases.read_releases(model).records
    if not is_known:
        raise NotFound("the model is not deployed and has no releases and no training jobs")
    return TrainingList(items=jobs)


@operation("GET", "/v1/trainings", role="operator", bound_tokens="allowed")
def list_all_trainings(_: Call) -> TrainingList:
    """List the training jobs of all models, newest first."""
    runs = sorted(container().training_jobs.list_all(), key=lambda run: run.job.created_at, reverse=True)
    return TrainingList(items=tuple(map(_to_training, runs)))


def _to_training(record: TrainingRun) -> TrainingOut:
    job = record.job
    return TrainingOut(
        job=job.name,
        model=job.spec.model,
        state=job.state,
        since=job.since,
        created_at=job.created_at,
        data=job.spec.dataset_id,
        parent=job.spec.parent,
        attempt=job.attempt,
        next_attempt_at=job.next_attempt_at,
        release=record.release or None,
        reason=record.failure_note or job.detail or None,
        expected_usd=record.expected_usd,
        max_usd=record.max_usd,
        usd=record.cost_usd if record.run_s else None,
        seconds=record.run_s or None,
    )
