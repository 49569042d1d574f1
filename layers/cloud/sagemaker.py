"""Runs training jobs on SageMaker and translates their states to job events."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from cloud.errors import error_code, translate_errors
from vigil.training.jobs import (
    CapacityUnavailable,
    Interrupted,
    JobAccepted,
    JobCompleted,
    JobEvent,
    JobFailed,
    JobRefused,
    JobStopped,
    TrainingJobRequest,
    TrainingResult,
)

_NO_QUOTA = "ResourceLimitExceeded"
_JOB_EXISTS = "ResourceInUse"
_INTERRUPTED = re.compile(r"InternalServerError|exit code: 137\b")
"""A fault of SageMaker, or a process killed by SIGKILL (128 + 9)."""

_UNKNOWN_JOB_CODES = {"ValidationException", "ResourceNotFound"}


@dataclass(frozen=True, slots=True)
class TrainingAccount:
    """role  of the container; key  with which its output is encrypted"""

    role: str
    key: str


class SageMakerTrainer:
    """The name of a job is its idempotency key: an existing job of that name counts as accepted."""

    def __init__(self, client: Any, account: TrainingAccount) -> None:
        self._client, self._account = client, account

    def create_job(self, request: TrainingJobRequest) -> JobAccepted | JobRefused:
        with translate_errors("training", "create training job"):
            try:
                self._client.create_training_job(**self._job_request(request))
            except ClientError as error:
                if error_code(error) == _NO_QUOTA:
                    return JobRefused("capacity" if "capacity" in str(error).lower() else "quota")
                if error_code(error) != _JOB_EXISTS:
                    raise
        return JobAccepted()

    def find_outcome(self, name: str) -> JobEvent | None:
        """The event of a job that has ended; None while it runs."""
        return job_event(self._describe(name))

    def result(self, name: str) -> TrainingResult:
        """What a completed job produced."""
        description = self._describe(name)
        return TrainingResult(
            archive_url=description["ModelArtifacts"]["S3ModelArtifacts"],
            run_s=float(description.get("TrainingTimeInSeconds", 0)),
            billable_s=float(description.get("BillableTimeInSeconds", 0)),
        )

    def _describe(self, name: str) -> dict[str, Any]:
        """SageMaker's description of a job; an unknown job has failed."""
        with translate_errors("training", "describe training job"):
            try:
                return dict(self._client.describe_training_job(TrainingJobName=name))
            except ClientError as error:
                if error_code(error) not in _UNKNOWN_JOB_CODES:
                    raise
                return {"TrainingJobStatus": "Failed", "FailureReason": "SageMaker does not know the job"}

    def _job_request(self, request: TrainingJobRequest) -> dict[str, Any]:
        machine, limits = request.instance_type, request.limits
        wait = {"MaxWaitTimeInSeconds": limits.max_run_s + limits.max_wait_s} if request.use_spot else {}
        return {
            "TrainingJobName": request.name,
            "RoleArn": self._account.role,
            "AlgorithmSpecification": {
                "TrainingImage": request.image,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": n, "Regex": found} for n, found in request.metrics.items()],
            },
            "HyperParameters": dict(request.hyperparameters),
            "InputDataConfig": [_channel(name, where) for name, where in request.channels.items()],
            "OutputDataConfig": {"S3OutputPath": request.output, "KmsKeyId": self._account.key},
            "CheckpointConfig": {"S3Uri": request.checkpoints},
            "ResourceConfig": {
                "InstanceType": machine.name,
                "InstanceCount": 1,
                "VolumeSizeInGB": limits.volume_gb,
                "VolumeKmsKeyId": self._account.key,
            },
            "EnableNetworkIsolation": True,
            "EnableInterContainerTrafficEncryption": True,
            "StoppingCondition": {"MaxRuntimeInSeconds": limits.max_run_s, **wait},
            "EnableManagedSpotTraining": request.use_spot,
            "Tags": [{"Key": name, "Value": text} for name, text in request.tags.items()],
        }


def job_event(description: Mapping[str, Any]) -> JobEvent | None:
    """The event from a description or a state-change notification; None while the job runs."""
    reason = str(description.get("FailureReason", ""))
    match description["TrainingJobStatus"]:
        case "Completed":
            return JobCompleted()
        case "Failed" if "CapacityError" in reason:
            return CapacityUnavailable("capacity")
        case "Failed" if _INTERRUPTED.search(reason):
            return Interrupted(reason)
        case "Failed":
            return JobFailed(reason or "SageMaker gives no reason")
        case "Stopped" if description.get("SecondaryStatus") == "MaxWaitTimeExceeded":
            return CapacityUnavailable("capacity")
        case "Stopped":
            return JobStopped(str(description.get("SecondaryStatus", "Stopped")))
    return None


def _channel(name: str, where: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": where, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}
