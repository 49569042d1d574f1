"""What SageMaker says becomes events of ours; what we ask of it is what it takes."""

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.session import Session
from botocore.stub import Stubber

from cloud.sagemaker import SageMakerTrainer, TrainingAccount, job_event
from tests.fakes.memory import NOON
from vigil.errors import Transient
from vigil.training.jobs import (
    CapacityUnavailable,
    Interrupted,
    JobAccepted,
    JobCompleted,
    JobEvent,
    JobFailed,
    JobRefused,
    JobStopped,
    TrainingLimits,
    TrainingPaths,
    TrainingSpec,
    default_instance_types,
    new_job,
    training_job_request,
)

SPEC = TrainingSpec("classifier", "digits", "d1", "[fit]", None, "image")
JOB = new_job(SPEC, NOON)
REQUEST = training_job_request(
    SPEC,
    attempt=1,
    paths=TrainingPaths("s3://b/data", "s3://b/recipe/", "s3://b/jobs", "s3://b/checkpoints"),
    instance_type=default_instance_types()[0],
    use_spot=True,
    limits=TrainingLimits(3600, 3600, 30),
)


@pytest.fixture
def stub() -> Stubber:
    """Botocore checks every request against SageMaker's own description."""
    client = Session().create_client(
        "sagemaker", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    return Stubber(client)


def trainer(stub: Stubber) -> SageMakerTrainer:
    stub.activate()
    return SageMakerTrainer(stub.client, TrainingAccount("arn:aws:iam::123456789012:role/training", "key"))


def test_a_job_has_no_network_and_encrypts_its_volume_and_traffic(stub: Stubber):
    sent: list[Mapping[str, Any]] = []
    stub.client.meta.events.register(
        "before-parameter-build.sagemaker.CreateTrainingJob", lambda params, **_: sent.append(params)
    )
    stub.add_response(
        "create_training_job",
        {"TrainingJobArn": f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{REQUEST.name}"},
    )

    trainer(stub).create_job(REQUEST)

    assert sent[0]["EnableNetworkIsolation"] is True
    assert sent[0]["EnableInterContainerTrafficEncryption"] is True
    assert sent[0]["ResourceConfig"]["VolumeKmsKeyId"] == "key"


def test_a_job_is_asked_for_in_words_that_sagemaker_knows(stub: Stubber):
    arn = f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{REQUEST.name}"
    stub.add_response("create_training_job", {"TrainingJobArn": arn})

    assert trainer(stub).create_job(REQUEST) == JobAccepted()


@pytest.mark.parametrize(
    ("code", "answer"),
    [("ResourceInUse", JobAccepted()), ("ResourceLimitExceeded", JobRefused("quota"))],
)
def test_what_is_there_already_is_ours_and_a_missing_quota_is_no_failure(
    stub: Stubber, code: str, answer: JobAccepted | JobRefused
):
    stub.add_client_error("create_training_job", code)

    assert trainer(stub).create_job(REQUEST) == answer


def test_anything_else_is_the_worlds_fault(stub: Stubber):
    stub.add_client_error("create_training_job", "ThrottlingException")

    with pytest.raises(Transient):
        trainer(stub).create_job(REQUEST)


def test_a_job_that_nobody_knows_has_failed(stub: Stubber):
    stub.add_client_error("describe_training_job", "ValidationException")

    assert trainer(stub).find_outcome(JOB.name) == JobFailed("SageMaker does not know the job")


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ({"TrainingJobStatus": "InProgress"}, None),
        ({"TrainingJobStatus": "Completed"}, JobCompleted()),
        (
            {"TrainingJobStatus": "Failed", "FailureReason": "CapacityError: none"},
            CapacityUnavailable("capacity"),
        ),
        ({"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError"}, JobFailed("AlgorithmError")),
        (
            {"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError: , exit code: 137"},
            Interrupted("AlgorithmError: , exit code: 137"),
        ),
        (
            {"TrainingJobStatus": "Failed", "FailureReason": "InternalServerError: try again"},
            Interrupted("InternalServerError: try again"),
        ),
        (
            {"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxWaitTimeExceeded"},
            CapacityUnavailable("capacity"),
        ),
        ({"TrainingJobStatus": "Stopped", "SecondaryStatus": "Stopped"}, JobStopped("Stopped")),
    ],
)
def test_states_are_read_as_they_are_meant(told: Mapping[str, Any], meant: JobEvent | None):
    assert job_event(told) == meant
