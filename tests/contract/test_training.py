"""What SageMaker says becomes events of ours; what we ask of it is what it takes."""

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.session import Session
from botocore.stub import Stubber

from cloud.training import Account, SageMaker, event
from tests.memory import NOON
from vigil.errors import Transient
from vigil.learn.cost import default_machines
from vigil.learn.dispatch import Accepted, Completed, Event, Failed, Lost, Refused, Starved, Stopped, want
from vigil.learn.training import Lesson, Limits, Place, request

LESSON = Lesson("classifier", "digits", "d1", "[fit]", None, "image")
JOB = want(LESSON, NOON)
ASKED = request(
    LESSON,
    attempt=1,
    place=Place("s3://b/data", "s3://b/recipe/", "s3://b/jobs", "s3://b/checkpoints"),
    machine=default_machines()[0],
    spot=True,
    limits=Limits(3600, 3600, 30),
)


@pytest.fixture
def stub() -> Stubber:
    """Botocore checks every request against SageMaker's own description."""
    client = Session().create_client(
        "sagemaker", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    return Stubber(client)


def sagemaker(stub: Stubber) -> SageMaker:
    stub.activate()
    return SageMaker(stub.client, Account("arn:aws:iam::123456789012:role/training", "key"))


def test_a_job_is_asked_for_in_words_that_sagemaker_knows(stub: Stubber):
    arn = f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{ASKED.name}"
    stub.add_response("create_training_job", {"TrainingJobArn": arn})

    assert sagemaker(stub).ask(ASKED) == Accepted()


@pytest.mark.parametrize(
    ("code", "answer"),
    [("ResourceInUse", Accepted()), ("ResourceLimitExceeded", Refused("quota"))],
)
def test_what_is_there_already_is_ours_and_a_missing_quota_is_no_failure(
    stub: Stubber, code: str, answer: Accepted | Refused
):
    stub.add_client_error("create_training_job", code)

    assert sagemaker(stub).ask(ASKED) == answer


def test_anything_else_is_the_worlds_fault(stub: Stubber):
    stub.add_client_error("create_training_job", "ThrottlingException")

    with pytest.raises(Transient):
        sagemaker(stub).ask(ASKED)


def test_a_job_that_nobody_knows_has_failed(stub: Stubber):
    stub.add_client_error("describe_training_job", "ValidationException")

    assert sagemaker(stub).look(JOB.name) == Failed("the job is not known any more")


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ({"TrainingJobStatus": "InProgress"}, None),
        ({"TrainingJobStatus": "Completed"}, Completed()),
        ({"TrainingJobStatus": "Failed", "FailureReason": "CapacityError: none"}, Starved("capacity")),
        ({"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError"}, Failed("AlgorithmError")),
        (
            {"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError: , exit code: 137"},
            Lost("AlgorithmError: , exit code: 137"),
        ),
        (
            {"TrainingJobStatus": "Failed", "FailureReason": "InternalServerError: try again"},
            Lost("InternalServerError: try again"),
        ),
        ({"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxWaitTimeExceeded"}, Starved("capacity")),
        ({"TrainingJobStatus": "Stopped", "SecondaryStatus": "Stopped"}, Stopped("Stopped")),
    ],
)
def test_states_are_read_as_they_are_meant(told: Mapping[str, Any], meant: Event | None):
    assert event(told) == meant
