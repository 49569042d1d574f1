"""Trainings: ordered by hand, and how they go and what they cost."""

from cloud.jobs import Kept
from functions import registers
from functions.api import wiring
from functions.api.operation import Call, Operation
from functions.api.problems import NotFound, Refused
from functions.api.schemas import models as shapes
from functions.settings import settings

REASONS = {"TooLittle": "too-little", "NoTraining": "no-training", "BadCard": "bad-recipe"}


def start_training(call: Call, order: shapes.Order) -> shapes.Ordered:
    """A job for the data set that the labels of now make; the same labels and recipe are the same job."""
    asked = {"model": call.path["model"], **order.model_dump(exclude_none=True)}
    told = wiring.neighbours().ask(settings().train_function, asked)
    if "error" in told:
        raise Refused(told["error"]["message"], reason=REASONS.get(told["error"]["kind"], "refused"))
    return shapes.Ordered(**told)


def list_trainings(call: Call) -> shapes.Trainings:
    """A model's training jobs, the latest first."""
    jobs = tuple(map(_told, registers.jobs().of(call.path["model"])))
    if not jobs and call.path["model"] not in wiring.cards():
        raise NotFound("it is not deployed, and nothing was ever trained for it")
    return shapes.Trainings(items=jobs)


def _told(kept: Kept) -> shapes.Training:
    job = kept.job
    return shapes.Training(
        job=job.name,
        state=job.state,
        since=job.since,
        asked_at=job.asked,
        data=job.lesson.data,
        parent=job.lesson.parent,
        attempt=job.attempt,
        again_at=job.due,
        release=kept.release or None,
        why=kept.note or job.text or None,
        expected_usd=kept.expected,
        most_usd=kept.most,
        usd=kept.usd if kept.seconds else None,
        seconds=kept.seconds or None,
    )


OPERATIONS = (
    Operation(
        "POST",
        "/v1/models/{model}/trainings",
        name="start-training",
        summary="Train a model on what is labelled now",
        serve=start_training,
        role="operator",
        everywhere=True,
        takes=shapes.Order,
        answers=shapes.Ordered,
        status=202,
        audited=True,
        example={},
        problems=(Refused,),
    ),
    Operation(
        "GET",
        "/v1/models/{model}/trainings",
        name="list-trainings",
        summary="Training jobs of a model, with what they cost",
        serve=list_trainings,
        role="operator",
        answers=shapes.Trainings,
    ),
)
